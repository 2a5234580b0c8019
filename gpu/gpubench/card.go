package main

import (
	"fmt"
	"time"

	"millrace/gpu/cuda"
	"millrace/gpu/kernels"
)

// patience is how long one piece of work may take.
const patience = 20 * time.Second

// card is an open device with the kernel on it.
type card struct {
	device  *cuda.Device
	module  *cuda.Module
	compose cuda.Function
	stream  *cuda.Stream
	done    *cuda.Event
}

func openCard(driver *cuda.Driver, ordinal int) (*card, error) {
	device, err := driver.Open(ordinal)
	if err != nil {
		return nil, err
	}
	c := &card{device: device}
	if err := c.load(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *card) load() (err error) {
	if c.module, err = c.device.LoadModule(kernels.PTX); err != nil {
		return err
	}
	if c.compose, err = c.module.Function(kernels.Function); err != nil {
		return err
	}
	if c.stream, err = c.device.NewStream(); err != nil {
		return err
	}
	c.done, err = c.device.NewEvent(false)
	return err
}

func (c *card) close() {
	if c.done != nil {
		c.done.Close()
	}
	if c.stream != nil {
		c.stream.Close()
	}
	if c.module != nil {
		c.module.Close()
	}
	c.device.Close()
}

// finish waits for all that is queued.
func (c *card) finish() error {
	if err := c.stream.Record(c.done); err != nil {
		return err
	}
	return c.done.Wait(patience)
}

// list is a work list on the card.
type list struct {
	card, host *cuda.Memory
	grid       cuda.Grid
}

// pack writes the shows' work list to the card.
func (c *card) pack(shows []kernels.Show) (*list, error) {
	size := kernels.WorkBytes(shows)
	l := &list{}
	var err error
	if l.card, err = c.device.Alloc(size); err != nil {
		return nil, err
	}
	if l.host, err = c.device.AllocHost(size); err != nil {
		l.card.Free()
		return nil, err
	}
	tiles, err := kernels.Pack(l.host.Bytes(), l.card.Address, shows)
	if err == nil {
		l.grid = cuda.Grid{Across: tiles, Down: len(shows), Threads: kernels.Threads}
		err = c.stream.Upload(l.card.Address, l.host, size)
	}
	if err == nil {
		err = c.finish()
	}
	if err != nil {
		l.free()
		return nil, fmt.Errorf("write the work list: %w", err)
	}
	return l, nil
}

func (l *list) free() {
	l.card.Free()
	l.host.Free()
}

func (c *card) launch(l *list) error { return c.stream.Launch(c.compose, l.grid, l.card.Address) }

func (c *card) upload(p *picture) error {
	return c.stream.Upload(p.card.Address, p.host, p.bytes())
}

func (c *card) download(p *picture) error {
	return c.stream.Download(p.host, p.card.Address, p.bytes())
}
