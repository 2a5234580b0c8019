package appliance

import (
	"fmt"
	"io"
	"strings"
)

// announce prints the start-up block: where to look and where to push. Keys
// are shown at the first start and when asked for.
func (n *Node) announce() {
	out := n.options.Out
	if out == nil {
		return
	}
	control := n.config.Control.Scheme() + "://" + shown(n.listeners.control.Addr().String())
	media := n.mediaURL()
	var b strings.Builder
	fmt.Fprintf(&b, "\nMillrace %s is running.\n\n", n.options.Version)
	fmt.Fprintf(&b, "  Control   %s/%s\n", control, n.signIn())
	fmt.Fprintf(&b, "  API       %s/docs\n", control)
	for _, channel := range n.ListChannels() {
		id := channel.Value.Id
		fmt.Fprintf(&b, "  Watch     %s/watch/%s\n", media, id)
		fmt.Fprintf(&b, "            %s/live/%s/index.m3u8   (LL-HLS)\n", media, id)
		fmt.Fprintf(&b, "            %s/live/%s/manifest.mpd (LL-DASH)\n", media, id)
	}
	n.announcePush(&b)
	if n.first != nil {
		fmt.Fprintf(&b, "  Admin key %s   (shown this once)\n", n.first.AdminKey)
	}
	fmt.Fprintf(&b, "  Encoder   %s\n\n", n.devices.announce())
	// The terminal may have gone; the node goes on.
	_, _ = io.WriteString(out, b.String())
}

// signIn is the fragment with the one-time token; browsers do not send it.
func (n *Node) signIn() string {
	if n.config.Auth.Mode == "off" {
		return ""
	}
	return "#token=" + n.newLink()
}

// announcePush says how to publish to cam1.
func (n *Node) announcePush(b *strings.Builder) {
	cam1, err := n.withKey("cam1")
	if err != nil || cam1.Value.Key == "" {
		return
	}
	if n.first == nil && !n.options.ShowKeys {
		fmt.Fprint(b, "  Push cam1 millrace serve --show-keys prints the addresses with their keys\n")
		return
	}
	to := cam1.Value.Ingest
	if to.Rtmp.Server != "" {
		fmt.Fprintf(b, "  Push cam1 %s   stream key %s\n", to.Rtmp.Server, to.Rtmp.StreamKey)
		fmt.Fprintf(b, "            '%s/%s'\n", to.Rtmp.Server, to.Rtmp.StreamKey)
	}
	if to.Srt.Url != "" {
		fmt.Fprintf(b, "            '%s'\n", to.Srt.Url)
	}
	if to.Whip.Url != "" {
		fmt.Fprintf(b, "            %s   (WHIP) bearer token %s\n", to.Whip.Url, to.Whip.Token)
	}
}
