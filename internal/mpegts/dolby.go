package mpegts

import (
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/ac3"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/eac3"

	"millrace/internal/media"
)

const dolbyHeader = 8 // bytes that tell everything we ask

// dolbyFrame reads one frame of AC-3 or E-AC-3 (ETSI TS 102 366), which of
// them bsid tells.
func dolbyFrame(p []byte) (frame, bool) {
	if len(p) < dolbyHeader {
		return frame{}, p[0] == 0x0b && (len(p) < 2 || p[1] == 0x77)
	}
	if p[0] != 0x0b || p[1] != 0x77 {
		return frame{}, false
	}
	if p[5]>>3 > 10 {
		return eac3Frame(p)
	}
	var sync ac3.SyncInfo
	var info ac3.BSI
	if sync.Unmarshal(p) != nil || info.Unmarshal(p[5:]) != nil {
		return frame{}, false
	}
	f := frame{size: sync.FrameSize(), samples: 6 * 256}
	f.data = p[:min(len(p), f.size)]
	f.format = format{codec: media.AC3, mime: "ac-3", rate: sync.SampleRate(), channels: info.ChannelCount()}
	return f, true
}

// eac3Frame reads an independent frame and the dependent ones that follow it
// in the buffer: together they are one access unit.
func eac3Frame(p []byte) (frame, bool) {
	var sync eac3.SyncInfo
	if sync.Unmarshal(p) != nil {
		return frame{}, false
	}
	f := frame{size: sync.FrameSize()}
	f.format = format{codec: media.EAC3, mime: "ec-3", rate: sync.SampleRate(), channels: sync.ChannelCount()}
	if sync.Strmtyp == 1 { // its independent frame is lost
		return f, true
	}
	f.samples = 256 * sync.NumBlocks()
	for len(p)-f.size >= dolbyHeader {
		var next eac3.SyncInfo
		if next.Unmarshal(p[f.size:]) != nil || next.Strmtyp != 1 {
			break
		}
		f.size += next.FrameSize()
	}
	f.data = p[:min(len(p), f.size)]
	return f, true
}
