package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"millrace/record"
)

// storeCommands work on the folder of one channel's store, or on a copy of it:
// on several at once where it is spread over volumes.
type storeCommands struct {
	Check  storeCheckCommand  `cmd:"" help:"Read everything and say what is damaged; changes nothing, works beside a running node."`
	Repair storeRepairCommand `cmd:"" help:"Cut what a killed writer left unfinished, and write missing indexes."`
	Export storeExportCommand `cmd:"" help:"Write plain MP4 files, one a rendition; changes nothing in the folder."`
}

type storeCheckCommand struct {
	Dirs []string `arg:"" name:"dir" help:"The folder with the channel's blocks; all of them where there are several volumes." type:"existingdir"`
	JSON bool     `help:"Print JSON."`
}

// Run fails when anything is damaged.
func (c storeCheckCommand) Run(ctx context.Context) error {
	findings := []record.Finding{}
	summary, err := record.Check(ctx, c.Dirs, func(f record.Finding) {
		findings = append(findings, f)
		if !c.JSON {
			fmt.Println(finding(f))
		}
	})
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(map[string]any{"summary": summary, "findings": findings})
	} else {
		for _, open := range summary.Open {
			fmt.Println(openBlock(open))
		}
		fmt.Printf("%d blocks, %d bytes, %d chunks read, %d findings\n", summary.Blocks, summary.Bytes, summary.Chunks, summary.Findings)
	}
	if err == nil && summary.Findings > 0 {
		err = errors.New("the store is not whole; see the lines above")
	}
	return err
}

// openBlock is no finding: nothing of it is lost.
func openBlock(b record.OpenBlock) string {
	line := b.Block + ": open: a node writes it, or its node was killed"
	if b.Tail > 0 {
		line += fmt.Sprintf("; its last %d bytes were not finished", b.Tail)
	}
	return line
}

func finding(f record.Finding) string {
	if f.Rendition == "" {
		return fmt.Sprintf("%s: %s", f.Block, f.Detail)
	}
	return fmt.Sprintf("%s: part %d of segment %d of %s: %s", f.Block, f.Part, f.Segment, f.Rendition, f.Detail)
}

type storeRepairCommand struct {
	Dirs []string `arg:"" name:"dir" help:"The folder with the channel's blocks, all of them where there are several volumes; no node may use it." type:"existingdir"`
}

// Run opens the store, which repairs it.
func (c storeRepairCommand) Run(ctx context.Context) error {
	s, err := record.Open(record.Config{Dirs: c.Dirs})
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	left, err := record.Check(ctx, c.Dirs, func(f record.Finding) { fmt.Println(finding(f)) })
	if err == nil {
		fmt.Printf("%d blocks; %d findings that cannot be repaired: what they name is left out as a gap\n", left.Blocks, left.Findings)
	}
	return err
}

type storeExportCommand struct {
	Dirs []string `arg:"" name:"dir" help:"The folder with the channel's blocks; all of them where there are several volumes." type:"existingdir"`
	To   string   `help:"An existing folder for the files." type:"existingdir" default:"."`
	JSON bool     `help:"Print JSON."`
}

// Run writes the files.
func (c storeExportCommand) Run(ctx context.Context) error {
	s, err := record.OpenReadOnly(record.Config{Dirs: c.Dirs})
	if err != nil {
		return err
	}
	made, err := record.Export(ctx, s, c.To)
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(made)
	}
	for _, m := range made {
		fmt.Printf("%s: %d segments, %d missing, %d bytes\n", m.Name, m.Segments, m.Missing, m.Bytes)
	}
	return nil
}
