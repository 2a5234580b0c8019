package gpu

import (
	"bytes"
	"slices"

	"github.com/Eyevinn/mp4ff/avc"

	"millrace/internal/media"
)

// HasParameterSets says that the avcC of a track lists every parameter set of
// another, byte for byte: access units made with those play as the track's.
func HasParameterSets(track, other *media.Track) bool {
	all, err := avc.DecodeAVCDecConfRec(track.Config)
	if err != nil {
		return false
	}
	some, err := avc.DecodeAVCDecConfRec(other.Config)
	if err != nil {
		return false
	}
	lists := func(sets, wanted [][]byte) bool {
		for _, set := range wanted {
			if !slices.ContainsFunc(sets, func(s []byte) bool { return bytes.Equal(s, set) }) {
				return false
			}
		}
		return true
	}
	return lists(all.SPSnalus, some.SPSnalus) && lists(all.PPSnalus, some.PPSnalus)
}

// SameIDR says that two access units of a track cannot be told apart as IDR
// pictures that follow each other: they have the same idr_pic_id, or one that
// cannot be read.
func SameIDR(track *media.Track, a, b []byte) bool {
	first, ok := idrPicture(track, a)
	second, known := idrPicture(track, b)
	return !ok || !known || first == second
}

// idrPicture is the idr_pic_id of an access unit's first slice.
func idrPicture(track *media.Track, unit []byte) (id uint32, ok bool) {
	record, err := avc.DecodeAVCDecConfRec(track.Config)
	if err != nil {
		return 0, false
	}
	sequences, pictures := map[uint32]*avc.SPS{}, map[uint32]*avc.PPS{}
	for _, nal := range record.SPSnalus {
		set, err := avc.ParseSPSNALUnit(nal, true)
		if err != nil {
			return 0, false
		}
		sequences[set.ParameterID] = set
	}
	for _, nal := range record.PPSnalus {
		set, err := avc.ParsePPSNALUnit(nal, sequences)
		if err != nil {
			return 0, false
		}
		pictures[set.PicParameterSetID] = set
	}
	nals, err := avc.GetNalusFromSample(unit)
	if err != nil {
		return 0, false
	}
	for _, nal := range nals {
		if avc.GetNaluType(nal[0]) == avc.NALU_IDR {
			header, err := avc.ParseSliceHeader(nal, sequences, pictures)
			if err != nil {
				return 0, false
			}
			return header.IDRPicID, true
		}
	}
	return 0, false
}
