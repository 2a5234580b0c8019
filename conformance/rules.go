package main

// rule is one row of the table. needs says what a check of it takes, where this
// command did not come to it.
type rule struct{ id, text, needs string }

// What a check of some rules takes.
const (
	notSeen     = "not met while following the playlists"
	needsFault  = "needs a fault injected into the origin"
	needsChange = "needs a change of the channel's settings"
	needsEnd    = "needs a playlist that has ended"
	needsNode   = "needs a restart or a second node"
	needsLonger = "needs a longer run"
	needsDRM    = "no encrypted media here"
	needsSCTE   = "no timed metadata here"
	needsPlayer = "needs browsers"
	needsTLS    = "needs an https URL"
	noWhip      = "needs -whip and -key"
	noWhep      = "needs -whep"
	needsIngest = "CMAF ingest is not offered"
	noManifest  = "no MPD"
)

// rules are the rows in the order they are printed.
func rules() []rule {
	return append(append(append(hlsRules(), appleRules()...), dashRules()...), append(cmafRules(), webrtcRules()...)...)
}

func hlsRules() []rule {
	return []rule{
		{"H01", "EXTINF rounded <= TARGETDURATION", notSeen},
		{"H02", "TARGETDURATION does not change", notSeen},
		{"H03", "one TARGETDURATION in all media playlists", notSeen},
		{"H04", "PART-TARGET and PART-HOLD-BACK are constant", notSeen},
		{"H05", "part DURATION <= PART-TARGET", notSeen},
		{"H06", "part >= 85% of PART-TARGET", notSeen},
		{"H07", "PART-INF with parts, PART-HOLD-BACK with it", notSeen},
		{"H08", "PART-HOLD-BACK >= 3 PART-TARGET, HOLD-BACK >= 3 TARGETDURATION", notSeen},
		{"H09", "INDEPENDENT=YES iff the part begins with an independent frame", notSeen},
		{"H10", "a part within one PART-TARGET of the last", notSeen},
		{"H11", "a segment within 1.5 TARGETDURATION of the last", notSeen},
		{"H12", "what is listed comes at link speed", notSeen},
		{"H13", "a hinted part comes at once when it is whole", notSeen},
		{"H14", "PRELOAD-HINT is there and names the later part", notSeen},
		{"H15", "a hint for a new init section", needsChange},
		{"H16", "no hint after ENDLIST", needsEnd},
		{"H17", "one RENDITION-REPORT per other playlist, and right", notSeen},
		{"H18", "renditions updated within one PART-TARGET", notSeen},
		{"H19", "the same SERVER-CONTROL in all media playlists", notSeen},
		{"H20", "_HLS_part without _HLS_msn: 400", notSeen},
		{"H21", "_HLS_msn beyond the last + 2: 400 at once", notSeen},
		{"H22", "_HLS_part beyond the advance limit: 400", notSeen},
		{"H23", "a part past the last is part 0 of the next segment", notSeen},
		{"H24", "a blocking request is answered with what it asked for", notSeen},
		{"H25", "an MSN before the window gets the playlist", notSeen},
		{"H26", "blocked over 3 TARGETDURATION: 503", needsFault},
		{"H27", "directives ignored after ENDLIST", needsEnd},
		{"H28", "directives that make no sense: 4xx", notSeen},
		{"H29", "CAN-SKIP-UNTIL >= 6 TARGETDURATION", notSeen},
		{"H30", "_HLS_skip gives a delta that rebuilds the playlist", notSeen},
		{"H31", "v2 deltas list removed date ranges", needsSCTE},
		{"H32", "_HLS_skip ignored where not offered", needsEnd},
		{"H33", "MEDIA-SEQUENCE rises by exactly the removals", notSeen},
		{"H34", "3 TARGETDURATION at least stay listed", notSeen},
		{"H35", "what was removed can still be fetched", needsLonger},
		{"H36", "no PLAYLIST-TYPE in a live playlist", notSeen},
		{"H37", "PROGRAM-DATE-TIME agrees with decode times in all playlists", notSeen},
		{"H38", "DISCONTINUITY at changes, in all renditions", needsChange},
		{"H39", "absent media is listed as gaps", needsFault},
		{"H40", "an independent frame in each segment", notSeen},
		{"H41", "tags of a segment before its first part", notSeen},
		{"H42", "SCTE-35 pairs", needsSCTE},
		{"H43", "date ranges stay while their dates are listed", needsSCTE},
		{"H44", "playlists change atomically, version no higher than needed", notSeen},
		{"H45", "gzip playlists, ranges, the same bytes again", notSeen},
		{"H46", "priority header: playlists 1, segments 2 to 6", notSeen},
		{"H47", "CODECS has every format of the variant", notSeen},
		{"H48", "404 for what was neither listed nor hinted", notSeen},
	}
}

func appleRules() []rule {
	return []rule{
		{"A01", "H.264 at most High 5.2", notSeen},
		{"A02", "segments start with an IDR, one every 2 s", notSeen},
		{"A03", "at most 60 frames a second, progressive", notSeen},
		{"A04", "bytes within AVERAGE-BANDWIDTH and BANDWIDTH", notSeen},
		{"A05", "stereo AAC offered, one audio per segment", notSeen},
		{"A06", "I-frame playlists, moof included, same target duration", notSeen},
		{"A07", "tfdt follows the durations before", notSeen},
		{"A08", "segment at most 0.5 s over the target", notSeen},
		{"A09", "EXTINF sums to real durations within a frame", notSeen},
		{"A10", "PROGRAM-DATE-TIME in every live playlist", notSeen},
		{"A11", "LANGUAGE on every EXT-X-MEDIA", notSeen},
		{"A12", "six segments at least", notSeen},
		{"A13", "a change of frame rate is a discontinuity", needsChange},
		{"A14", "DISCONTINUITY-SEQUENCE is present", notSeen},
		{"A15", "no redirects", notSeen},
		{"A16", "attributes of STREAM-INF and I-FRAME-STREAM-INF", notSeen},
		{"A17", "INDEPENDENT-SEGMENTS", notSeen},
		{"A18", "BANDWIDTH covers the sum of peaks", notSeen},
		{"A19", "gzip and media types", notSeen},
		{"A20", "TLS 1.2 with forward secrecy", needsTLS},
		{"A21", "cbcs only", needsDRM},
		{"A22", "delta updates for windows above 2 min", notSeen},
	}
}

func dashRules() []rule {
	return []rule{
		{"D01", "valid by DASH-MPD.xsd", "needs xmllint and the schema"},
		{"D02", "UTCTiming that answers near the host clock", noManifest},
		{"D03", "ServiceDescription with a latency target", noManifest},
		{"D04", "ProducerReferenceTime agrees with prft", noManifest},
		{"D05", "availabilityTimeOffset, availabilityTimeComplete=false", noManifest},
		{"D06", "segments are there when the offset says", noManifest},
		{"D07", "segments are CMAF fragments of several chunks", noManifest},
		{"D08", "Resync", noManifest},
		{"D09", "times of the MPD equal the media's", noManifest},
		{"D10", "codecs and types equal the init section's", noManifest},
		{"D11", "segmentAlignment", noManifest},
		{"D12", "LeapSecondInformation", noManifest},
		{"D13", "validity events have value 1", "no such events here"},
		{"D14", "emsg placement", "no emsg here"},
		{"D15", "the segment at the edge comes chunk by chunk", noManifest},
		{"D16", "publishTime rises, the past stays", noManifest},
		{"D17", "hls.js, Shaka and dash.js play at the edge", needsPlayer},
	}
}

func cmafRules() []rule {
	return []rule{
		{"C01", "decode time is the sum of durations", notSeen},
		{"C02", "one traf, one trun, default-base-is-moof", notSeen},
		{"C03", "every fragment begins with a sync sample", notSeen},
		{"C04", "one profile and the same times across the ladder", notSeen},
		{"C05", "no edit list, defaults in each fragment", notSeen},
		{"C06", "colr and pasp", notSeen},
		{"C07", "constant timescale, tfdt version 1", notSeen},
		{"C08", "slat on filler", needsFault},
		{"C09", "prft in every segment", notSeen},
		{"C10", "filler for absent input", needsFault},
		{"C11", "epoch AST, period PT0S, one period, no BaseURL", noManifest},
		{"C12", "receiver errors", needsIngest},
		{"C13", "replacement source continues", needsNode},
	}
}

func webrtcRules() []rule {
	return []rule{
		{"W01", "an offer is answered with 201, type and Location", noWhip},
		{"W02", "another type or malformed SDP: 4xx", noWhip},
		{"W03", "the answer receives; offers that do not send are refused", noWhip},
		{"W04", "more tracks than are taken, or a bad section: all refused", noWhip},
		{"W05", "one bundle, rtcp-mux, all candidates", noWhip},
		{"W06", "GET: 2xx without content", noWhip},
		{"W07", "OPTIONS: CORS and Accept-Post", noWhip},
		{"W08", "never 301 or 302", noWhip},
		{"W09", "overload: 503 with Retry-After", noWhep},
		{"W10", "PATCH of a wrong type or malformed: 4xx", noWhip},
		{"W11", "of trickle and restart, what is not supported: 422", noWhip},
		{"W12", "strong ETag, 428 without If-Match, 412 when stale", noWhip},
		{"W13", "trickle: 204, unknown transports ignored", noWhip},
		{"W14", "ICE restart: 200, media go on; a failed one ends nothing", noWhip},
		{"W15", "DELETE: 200, then 404", noWhip},
		{"W16", "consent expires", "needs -slow"},
		{"W17", "Link only where configured, not on preflights", noWhip},
		{"W18", "Bearer tokens, none for preflights", noWhip},
		{"W19", "unguessable names, limited rates", noWhip},
		{"W20", "setup:active taken or refused well", noWhip},
		{"W21", "SDP is capped", noWhip},
		{"E01", "201 with a sendonly answer that connects", noWhep},
		{"E02", "nothing on air: 409 with Retry-After", "needs -idle"},
		{"E03", "HEAD: 200 with the type", noWhep},
		{"E04", "GET, OPTIONS and no redirects as W06 to W08", noWhep},
		{"E05", "ICE, ETag and DELETE as W10 to W17", noWhep},
		{"E06", "pictures are young: p95 below 500 ms", noWhep},
	}
}
