package appliance

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

// taken is a webhook request as it arrived.
type taken struct {
	header http.Header
	body   string
}

// receiver answers webhooks with the statuses it is given, then with 200.
func receiver(t *testing.T, statuses ...int) (url string, got chan taken) {
	t.Helper()
	got = make(chan taken, 100)
	answers := make(chan int, len(statuses))
	for _, status := range statuses {
		answers <- status
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		got <- taken{r.Header, string(body)}
		select {
		case status := <-answers:
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		default:
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

// sending is a node whose webhooks run and may go anywhere.
func sending(t *testing.T) client {
	t.Helper()
	node := openNode(t, t.TempDir())
	node.webhooks.client = newWebhookClient(true)
	ctx, cancel := context.WithCancel(t.Context())
	run := begin(ctx, func(ctx context.Context) { require.NoError(t, node.webhooks.Run(ctx)) })
	t.Cleanup(func() { cancel(); run.stop() })
	require.Eventually(t, func() bool {
		node.webhooks.mu.Lock()
		defer node.webhooks.mu.Unlock()
		return node.webhooks.ctx != nil
	}, 20*time.Second, time.Millisecond)
	return newClient(t, node, api.ScopeManage)
}

func arrived(t *testing.T, got chan taken) taken {
	t.Helper()
	select {
	case one := <-got:
		return one
	case <-time.After(20 * time.Second):
		require.Fail(t, "nothing arrived")
	}
	return taken{}
}

func TestWebhooks(t *testing.T) {
	c := sending(t)
	url, got := receiver(t, 500)
	made := c.must(201, "POST", "/v1/webhooks", fmt.Sprintf(`{"url":%q,"types":["source.*"]}`, url))
	id, secret := made.field(t, "id").(string), made.field(t, "secret").(string)
	require.Regexp(t, `^whsec_[A-Za-z0-9+/=]{44}$`, secret)
	require.NotContains(t, c.must(200, "GET", "/v1/webhooks", "").body, secret)
	require.Eventually(t, func() bool { return c.node.bus.Readers() == 1 }, 20*time.Second, time.Millisecond)

	c.must(201, "POST", "/v1/sources", `{"id":"cam2","kind":"push"}`)
	first := arrived(t, got)
	require.JSONEq(t, `{"id":"cam2","revision":`+strings.Trim(c.must(200, "GET", "/v1/sources/cam2", "").header.Get("ETag"), `"`)+`}`, dataOf(t, first.body))
	var at int64
	_, err := fmt.Sscan(first.header.Get("webhook-timestamp"), &at)
	require.NoError(t, err)
	require.Equal(t, sign(message{first.header.Get("webhook-id"), "", []byte(first.body)}, time.Unix(at, 0), secret), first.header.Get("webhook-signature"))

	var log api.DeliveryList
	require.Eventually(t, func() bool {
		require.NoError(t, json.Unmarshal([]byte(c.must(200, "GET", "/v1/webhooks/"+id+"/deliveries", "").body), &log))
		return len(log.Items) > 0
	}, 20*time.Second, 5*time.Millisecond)
	require.False(t, log.Items[0].Ok)
	require.Equal(t, 500, log.Items[0].Status)
	require.WithinDuration(t, time.Now().Add(retryAfter()[0]), log.Items[0].NextAt.Time, retryAfter()[0])
	c.hurry(id)
	second := arrived(t, got)
	require.Equal(t, first.header.Get("webhook-id"), second.header.Get("webhook-id"), "a try is known by its id")
	require.Equal(t, first.body, second.body)

	rotated := c.must(200, "POST", "/v1/webhooks/"+id+"/rotate-secret", "").field(t, "secret").(string)
	require.NotEqual(t, secret, rotated)
	require.Equal(t, true, c.must(200, "POST", "/v1/webhooks/"+id+"/test", "").field(t, "ok"))
	tested := arrived(t, got)
	require.Len(t, strings.Fields(tested.header.Get("webhook-signature")), 2, "the old secret signs for a day")
	require.Contains(t, tested.body, "webhook.test")
	c.must(204, "DELETE", "/v1/webhooks/"+id, "", "If-Match", "*")
	require.Eventually(t, func() bool { return c.node.bus.Readers() == 0 }, 20*time.Second, time.Millisecond)
	newClient(t, c.node, api.ScopeOperate).must(403, "GET", "/v1/webhooks", "")
}

func TestAChangeOfAWebhookLosesNoEvent(t *testing.T) {
	c := sending(t)
	got, answer := make(chan string, 100), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("webhook-id")
		<-answer
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(answer) })
	arrives := func() (id string) {
		select {
		case id = <-got:
		case <-time.After(20 * time.Second):
			require.Fail(t, "nothing arrived")
		}
		return id
	}
	id := c.must(201, "POST", "/v1/webhooks", fmt.Sprintf(`{"url":%q,"types":["source.*"]}`, server.URL)).field(t, "id").(string)
	require.Eventually(t, func() bool { return c.node.bus.Readers() == 1 }, 20*time.Second, time.Millisecond)
	c.must(201, "POST", "/v1/sources", `{"id":"cam2","kind":"push"}`)
	first := arrives()
	c.must(200, "PATCH", "/v1/webhooks/"+id, `{"name":"renamed while one was on its way"}`, "If-Match", "*")
	require.Equal(t, first, arrives())
}

// hurry makes what waits due, and wakes who sends.
func (c client) hurry(webhook string) {
	c.t.Helper()
	hooks := c.node.webhooks
	hooks.mu.Lock()
	o := hooks.couriers[webhook]
	hooks.mu.Unlock()
	require.Eventually(c.t, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		for i := range o.waiting {
			o.waiting[i].due = time.Time{}
		}
		return len(o.waiting) > 0
	}, 20*time.Second, time.Millisecond)
	c.must(200, "PATCH", "/v1/webhooks/"+webhook, `{"name":"hurry"}`, "If-Match", "*")
}

func dataOf(t *testing.T, body string) string {
	t.Helper()
	var m struct{ Data json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(body), &m), body)
	return string(m.Data)
}

func TestAReceiverThatIsGoneGetsNoMore(t *testing.T) {
	c := sending(t)
	url, got := receiver(t, 410)
	id := c.must(201, "POST", "/v1/webhooks", fmt.Sprintf(`{"url":%q}`, url)).field(t, "id").(string)
	require.Eventually(t, func() bool { return c.node.bus.Readers() == 1 }, 20*time.Second, time.Millisecond)
	c.must(201, "POST", "/v1/sources", `{"id":"cam2","kind":"push"}`)
	arrived(t, got)
	require.Eventually(t, func() bool {
		return c.must(200, "GET", "/v1/webhooks/"+id, "").field(t, "disabled") == true && c.node.bus.Readers() == 0
	}, 20*time.Second, 5*time.Millisecond)
	c.must(200, "PATCH", "/v1/webhooks/"+id, `{"disabled":false}`, "If-Match", "*")
	require.Eventually(t, func() bool { return c.node.bus.Readers() == 1 }, 20*time.Second, time.Millisecond)
	c.must(201, "POST", "/v1/sources", `{"id":"cam3","kind":"push"}`)
	require.Contains(t, arrived(t, got).body, "cam3")
}

func TestWebhooksGoToPublicAddressesOnly(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	url, got := receiver(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	for _, target := range []string{url, "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://2130706433:" + port} {
		id := c.must(201, "POST", "/v1/webhooks", fmt.Sprintf(`{"url":%q}`, target)).field(t, "id").(string)
		tried := c.must(200, "POST", "/v1/webhooks/"+id+"/test", "")
		require.Equal(t, false, tried.field(t, "ok"), target)
	}
	require.Empty(t, got)
	for _, bad := range []string{"ftp://x.example", "http://", "https://user:secret@x.example/", "javascript:alert(1)", "http:///etc/passwd"} {
		c.must(422, "POST", "/v1/webhooks", fmt.Sprintf(`{"url":%q}`, bad))
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	c := sending(t)
	url, got := receiver(t, 302)
	id := c.must(201, "POST", "/v1/webhooks", fmt.Sprintf(`{"url":%q}`, url)).field(t, "id").(string)
	require.EqualValues(t, 302, c.must(200, "POST", "/v1/webhooks/"+id+"/test", "").field(t, "status"))
	arrived(t, got)
	require.Empty(t, got)
}

// The example of the Standard Webhooks specification.
func TestSignature(t *testing.T) {
	m := message{id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: []byte(`{"test": 2432232314}`)}
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", sign(m, time.Unix(1614265330, 0), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
}

func TestWhatWaitsIsBounded(t *testing.T) {
	o := &courier{hooks: &webhooks{}}
	now := time.Now()
	for range webhookWaiting + 10 {
		o.waiting = append(o.waiting, pending{due: now.Add(time.Minute)})
	}
	o.waiting = o.waiting[:webhookWaiting]
	bus := newClient(t, openNode(t, t.TempDir()), api.ScopeView).node.bus
	r, _, _, err := bus.Subscribe(nil, "")
	require.NoError(t, err)
	defer r.Close()
	bus.Publish("a", nil)
	o.take(<-r.Events())
	require.Len(t, o.waiting, webhookWaiting)
	require.EqualValues(t, 1, o.dropped)
	next, _, ok := o.next(now)
	require.True(t, ok)
	require.Equal(t, "a", next.kind, "who waits for his next try keeps nobody back")
	_, wait, ok := o.next(now)
	require.False(t, ok)
	require.Equal(t, time.Minute, wait)
	for range 2 * webhookLog {
		o.note(api.Delivery{})
	}
	require.Len(t, o.log, webhookLog)
}
