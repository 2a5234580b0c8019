package gpu

import (
	"fmt"

	"millrace/internal/media"
)

// level is one row of H.264 Table A-1.
type level struct {
	idc             int // 10 times the level's number
	macroblocksRate int // a second
	macroblocks     int // of a frame
	dpb             int // macroblocks of all pictures kept
	bitrate         int // 1000 bits/s, times 1.25 in High profile
	cpb             int // 1000 bits, likewise
}

// levels leaves out 1b, which High profile signals in a way of its own.
func levels() []level {
	return []level{
		{10, 1485, 99, 396, 64, 175},
		{11, 3000, 396, 900, 192, 500},
		{12, 6000, 396, 2376, 384, 1000},
		{13, 11880, 396, 2376, 768, 2000},
		{20, 11880, 396, 2376, 2000, 2000},
		{21, 19800, 792, 4752, 4000, 4000},
		{22, 20250, 1620, 8100, 4000, 4000},
		{30, 40500, 1620, 8100, 10000, 10000},
		{31, 108000, 3600, 18000, 14000, 14000},
		{32, 216000, 5120, 20480, 20000, 20000},
		{40, 245760, 8192, 32768, 20000, 25000},
		{41, 245760, 8192, 32768, 50000, 62500},
		{42, 522240, 8704, 34816, 50000, 62500},
		{50, 589824, 22080, 110400, 135000, 135000},
		{51, 983040, 36864, 184320, 240000, 240000},
		{52, 2073600, 36864, 184320, 240000, 240000},
		{60, 4177920, 139264, 696320, 240000, 240000},
		{61, 8355840, 139264, 696320, 480000, 480000},
		{62, 16711680, 139264, 696320, 800000, 800000},
	}
}

// references is the number of pictures that every level chosen can keep, so
// that encoders that use fewer agree on the level.
const references = 4

// levelOf is the lowest level for a High profile stream of that size and rate
// with a buffer of maxRate bits filled at maxRate bits per second. It depends on
// nothing else: two encoders of one rung agree.
func levelOf(size Size, rate media.Rate, maxRate int) (int, error) {
	across, down := (size.Width+15)/16, (size.Height+15)/16
	macroblocks := across * down
	for _, l := range levels() {
		fits := macroblocks <= l.macroblocks && across*across <= 8*l.macroblocks && down*down <= 8*l.macroblocks &&
			int64(macroblocks)*rate.Num <= int64(l.macroblocksRate)*rate.Den &&
			macroblocks*references <= l.dpb && maxRate <= 1250*l.bitrate && maxRate <= 1250*l.cpb
		if fits {
			return l.idc, nil
		}
	}
	return 0, fmt.Errorf("no H.264 level allows %v at %v frames and %d bits per second", size, rate, maxRate)
}
