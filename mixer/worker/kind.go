package worker

// The kinds of frame on the socket. Numbers are never used again.
const (
	kindHello   byte = 1
	kindStart   byte = 2
	kindTrack   byte = 3
	kindPacket  byte = 4
	kindGone    byte = 5
	kindCommand byte = 6
	kindQuit    byte = 7
	kindKey     byte = 8
	kindWatch   byte = 9
	kindPicture byte = 10
	kindReady   byte = 16
	kindAck     byte = 17
	kindReport  byte = 18
	kindBegin   byte = 19
	kindEnd     byte = 20
	kindMeters  byte = 21
	kindFault   byte = 22
	kindFinding byte = 23
)

func (*Hello) kind() byte        { return kindHello }
func (*Start) kind() byte        { return kindStart }
func (*TrackChange) kind() byte  { return kindTrack }
func (*StreamPacket) kind() byte { return kindPacket }
func (*Gone) kind() byte         { return kindGone }
func (*Command) kind() byte      { return kindCommand }
func (*Quit) kind() byte         { return kindQuit }
func (*Ready) kind() byte        { return kindReady }
func (*Ack) kind() byte          { return kindAck }
func (*Report) kind() byte       { return kindReport }
func (*KeyFrame) kind() byte     { return kindKey }
func (*Begin) kind() byte        { return kindBegin }
func (*End) kind() byte          { return kindEnd }
func (*Watch) kind() byte        { return kindWatch }
func (*Meters) kind() byte       { return kindMeters }
func (*Fault) kind() byte        { return kindFault }
func (*Finding) kind() byte      { return kindFinding }
