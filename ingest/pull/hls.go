package pull

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"

	"millrace/ingest"
	"millrace/ingest/codec"
	"millrace/internal/media"
)

const (
	httpLimit  = 20 * time.Second // for a playlist or segment
	stallLimit = 20 * time.Second // without media: the library waits for good where a playlist was too short
)

var errStalled = fmt.Errorf("no media for %v", stallLimit)

// pullHLS plays a live playlist.
func pullHLS(ctx context.Context, from *url.URL, dialer *net.Dialer, connect func() (ingest.Session, error)) (err error) {
	transport := &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: httpLimit, MaxIdleConnsPerHost: 4}
	defer transport.CloseIdleConnections()
	h := &playlist{}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h.stall = time.AfterFunc(stallLimit, func() { cancel(errStalled) })
	defer h.stall.Stop()
	client := &gohlslib.Client{URI: from.String(), HTTPClient: &http.Client{Transport: transport, Timeout: httpLimit}}
	// The library would log addresses, which may hold secrets.
	client.OnDownloadPrimaryPlaylist, client.OnDownloadStreamPlaylist = func(string) {}, func(string) {}
	client.OnDownloadSegment, client.OnDownloadPart, client.OnDecodeError = func(string) {}, func(string) {}, func(error) {}
	client.OnTracks = func(tracks []*gohlslib.Track) error {
		session, err := connect()
		if err != nil {
			return err
		}
		h.session = session
		return h.follow(client, tracks)
	}
	if err := client.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, client.Close)
	defer stop()
	defer func() {
		client.Close()
		if h.session != nil {
			h.session.Close(err)
		}
	}()
	err = client.Wait2()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return err
}

// playlist is one feed by HLS. Its tracks come on goroutines of their own.
type playlist struct {
	session ingest.Session
	stall   *time.Timer // ends the feed; it is set anew by all media
	writing sync.Mutex
}

// write hands an access unit on; an error ends the client.
func (h *playlist) write(u ingest.AccessUnit) {
	h.writing.Lock()
	defer h.writing.Unlock()
	h.stall.Reset(stallLimit)
	h.session.Write(u)
}

// follow listens to the first track of pictures and of sound.
func (h *playlist) follow(client *gohlslib.Client, tracks []*gohlslib.Track) error {
	var video, audio bool
	for _, track := range tracks {
		switch c := track.Codec.(type) {
		case *codecs.H264:
			if !video {
				video = true
				client.OnDataH26x(track, (&pictures{list: h, hz: int64(track.ClockRate), avc: true, sps: c.SPS, pps: c.PPS}).take)
			}
		case *codecs.H265:
			if !video {
				video = true
				client.OnDataH26x(track, (&pictures{list: h, hz: int64(track.ClockRate), vps: c.VPS, sps: c.SPS, pps: c.PPS}).take)
			}
		case *codecs.MPEG4Audio:
			config, err := c.Config.Marshal()
			if err != nil || audio {
				continue
			}
			described, err := codec.AACTrack(config)
			if err != nil {
				return err
			}
			audio = true
			client.OnDataMPEG4Audio(track, func(pts int64, units [][]byte) { h.sound(described, int64(track.ClockRate), 1024, pts, units) })
		}
	}
	if !video && !audio {
		return errors.New("the playlist has neither H.264 or HEVC pictures nor AAC sound")
	}
	return nil
}

// sound hands on units that last so many samples each.
func (h *playlist) sound(track *media.Track, hz, samples, pts int64, units [][]byte) {
	for i, unit := range units {
		at := time.Duration(media.TimeOfTicks(pts, hz)) + time.Duration(media.TimeOfTicks(int64(i)*samples, int64(track.SampleRate)))
		h.write(ingest.AccessUnit{Track: track, PTS: at, DTS: at, Key: true, Data: unit})
	}
}

// pictures makes access units of a track of NAL units, whose parameter sets stand
// in the playlist's init section or in the stream.
type pictures struct {
	list          *playlist
	hz            int64
	avc           bool
	vps, sps, pps []byte
	track         codec.NALTrack
}

func (p *pictures) take(pts, dts int64, units [][]byte) {
	var data []byte
	for _, unit := range units {
		if len(unit) == 0 {
			continue
		}
		p.learn(unit)
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(unit))), unit...)
	}
	if p.track.Track == nil {
		if p.sps == nil || p.pps == nil || !p.avc && p.vps == nil {
			return
		}
		track, err := p.describe()
		if err != nil {
			return // the next parameter sets may be better
		}
		p.track = track
	}
	unit, random := p.track.AccessUnit(data)
	if unit == nil {
		return
	}
	if random {
		p.track = p.track.Follow(unit)
	}
	p.list.write(ingest.AccessUnit{
		Track: p.track.Track, PTS: time.Duration(media.TimeOfTicks(pts, p.hz)), DTS: time.Duration(media.TimeOfTicks(dts, p.hz)), Key: random, Data: unit,
	})
}

// learn keeps the parameter sets of the stream while there is no track.
func (p *pictures) learn(unit []byte) {
	if p.track.Track != nil {
		return
	}
	kind := unit[0] & 0x1f
	if !p.avc {
		kind = unit[0] >> 1 & 0x3f
	}
	switch {
	case p.avc && kind == 7, !p.avc && kind == 33:
		p.sps = unit
	case p.avc && kind == 8, !p.avc && kind == 34:
		p.pps = unit
	case !p.avc && kind == 32:
		p.vps = unit
	}
}

// describe makes the track of the parameter sets.
func (p *pictures) describe() (track codec.NALTrack, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("parameter sets that broke their parser: %v", fault)
		}
	}()
	if p.avc {
		box, err := mp4.CreateAvcC([][]byte{p.sps}, [][]byte{p.pps}, true)
		if err != nil {
			return track, err
		}
		record, err := codec.Payload(box)
		if err != nil {
			return track, err
		}
		return codec.AVCTrack(record)
	}
	box, err := mp4.CreateHvcC([][]byte{p.vps}, [][]byte{p.sps}, [][]byte{p.pps}, true, true, true, true)
	if err != nil {
		return track, err
	}
	record, err := codec.Payload(box)
	if err != nil {
		return track, err
	}
	return codec.HEVCTrack(record)
}
