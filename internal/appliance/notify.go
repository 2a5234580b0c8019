package appliance

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// notifier tells systemd how the node is (sd_notify(3)): ready, alive, stopping.
// Without systemd it does nothing.
type notifier struct {
	address  string        // of its socket; empty: nobody listens
	watchdog time.Duration // how often it must hear; 0: never
}

// newNotifier reads what systemd gave this process.
func newNotifier(getenv func(string) string) notifier {
	n := notifier{address: getenv("NOTIFY_SOCKET")}
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return n // it is another process's
	}
	if microseconds, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && microseconds > 0 {
		n.watchdog = time.Duration(microseconds) * time.Microsecond
	}
	return n
}

func (n notifier) say(state string) error {
	if n.address == "" {
		return nil
	}
	// A leading @ is an abstract address, which net knows too.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.address, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

const statusEvery = 10 * time.Second

// notify tells systemd that the node is ready, and then, as long as alive
// returns, that it lives. Alive takes the locks that everything else takes: a
// node that hangs is not reported alive.
func (n *Node) notify(ctx context.Context, to notifier, alive func() string) error {
	if to.address == "" {
		<-ctx.Done()
		return nil
	}
	every := statusEvery
	if to.watchdog > 0 {
		every = min(every, to.watchdog/3)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	state := "READY=1\n"
	for {
		if err := to.say(state + "STATUS=" + alive()); err != nil {
			n.log.Warn("tell systemd", "err", err)
		}
		state = "WATCHDOG=1\n"
		select {
		case <-ctx.Done():
			return to.say("STOPPING=1")
		case <-ticker.C:
		}
	}
}

// alive says in a line what the node does.
func (n *Node) alive() string {
	all, running := n.channels.count()
	if err := n.Ready(); err != nil {
		return fmt.Sprintf("%d of %d channels run; %v", running, all, err)
	}
	return fmt.Sprintf("%d of %d channels run", running, all)
}
