package rtmp

import (
	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/message"
)

// Codes of onStatus that clients print together with the description: OBS's
// librtmp does for these and few others, ffmpeg for any of level error.
const (
	CodeDenied   = "NetStream.Publish.Denied"   // wrong key, unknown source
	CodeBadName  = "NetStream.Publish.BadName"  // the name has a publisher
	CodeRejected = "NetStream.Publish.Rejected" // anything else
)

const (
	codePublishStart = "NetStream.Publish.Start"
	codePlayFailed   = "NetStream.Play.Failed"
	codeReconnect    = "NetConnection.Connect.ReconnectRequest"
)

const (
	commandChunkStream = 3
	statusChunkStream  = 5
	// The message library counts stream ids in the wrong byte order.
	publishStream = 1 << 24
)

func result(call *message.CommandAMF0, values ...any) *message.CommandAMF0 {
	return &message.CommandAMF0{
		ChunkStreamID: commandChunkStream, Name: "_result", CommandID: call.CommandID, Arguments: values,
	}
}

func status(level, code, description string, more ...amf0.ObjectEntry) *message.CommandAMF0 {
	info := amf0.Object{
		{Key: "level", Value: level}, {Key: "code", Value: code}, {Key: "description", Value: description},
	}
	return &message.CommandAMF0{
		ChunkStreamID: statusChunkStream, MessageStreamID: publishStream,
		Name: "onStatus", Arguments: []any{nil, append(info, more...)},
	}
}

// connected are the replies to connect. The capabilities of Enhanced RTMP v2
// stand in both objects, because its text does not say in which.
func connected(call *message.CommandAMF0) []message.Message {
	capabilities := capabilities()
	return []message.Message{
		&message.SetWindowAckSize{Value: windowSize},
		&message.SetPeerBandwidth{Value: windowSize, Type: 2},
		&message.SetChunkSize{Value: 4096},
		result(call,
			append(amf0.Object{
				{Key: "fmsVer", Value: "FMS/3,5,1,525"}, {Key: "capabilities", Value: float64(31)},
			}, capabilities...),
			append(amf0.Object{
				{Key: "level", Value: "status"}, {Key: "code", Value: "NetConnection.Connect.Success"},
				{Key: "description", Value: "Connected."}, {Key: "objectEncoding", Value: float64(0)},
			}, capabilities...),
		),
	}
}

// capabilities are the properties by which E-RTMP v2 servers state what they
// take ("Enhancing NetConnection connect Command").
func capabilities() amf0.Object {
	const (
		canDecode, canForward              = 1, 4
		multitrack, modEx, timestampOffset = 2, 4, 8
	)
	var list amf0.StrictArray
	infoMap := func(codecs []FourCC) (o amf0.Object) {
		for _, c := range codecs {
			list = append(list, string(c))
			o = append(o, amf0.ObjectEntry{Key: string(c), Value: float64(canDecode | canForward)})
		}
		return o
	}
	video, audio := infoMap(VideoCodecs()), infoMap(AudioCodecs())
	return amf0.Object{
		{Key: "capsEx", Value: float64(multitrack | modEx | timestampOffset)},
		{Key: "fourCcList", Value: list},
		{Key: "videoFourCcInfoMap", Value: video},
		{Key: "audioFourCcInfoMap", Value: audio},
	}
}
