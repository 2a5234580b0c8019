package appliance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

// signIn opens a session and gives its cookie.
func signIn(t *testing.T, node *Node, status int, user, password string) string {
	t.Helper()
	opened := client{t, node, ""}.must(status, "POST", "/v1/session", fmt.Sprintf(`{"user":%q,"password":%q}`, user, password))
	cookie, _, _ := strings.Cut(opened.header.Get("Set-Cookie"), ";")
	return cookie
}

const ownPage = "http://example.com" // httptest's host

func TestUsers(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	c.must(422, "POST", "/v1/users", `{"id":"anna","role":"operator"}`)
	c.must(422, "POST", "/v1/users", `{"id":"anna","role":"operator","password":"short"}`)
	c.must(422, "POST", "/v1/users", `{"id":"anna","role":"king","password":"correct horse"}`)
	made := c.must(201, "POST", "/v1/users", `{"id":"anna","name":"Anna","role":"operator","password":"correct horse"}`)
	c.must(409, "POST", "/v1/users", `{"id":"anna","role":"viewer","password":"correct horse"}`)
	for _, shown := range []answer{made, c.must(200, "GET", "/v1/users", ""), c.must(200, "GET", "/v1/users/anna", "")} {
		require.NotContains(t, shown.body, "correct")
		require.NotContains(t, shown.body, "hash")
	}
	cookie, nobody := signIn(t, node, 200, "anna", "correct horse"), client{t, node, ""}
	who := nobody.must(200, "GET", "/v1/session", "", "Cookie", cookie)
	require.JSONEq(t, `{"kind":"user","id":"anna","name":"Anna","scopes":["operate"]}`, who.body)
	nobody.must(409, "POST", "/v1/channels/demo/cut", `{}`, "Cookie", cookie, "Origin", ownPage) // may; it does not run
	nobody.must(403, "GET", "/v1/users", "", "Cookie", cookie)

	c.must(200, "PATCH", "/v1/users/anna", `{"role":"viewer"}`, "If-Match", made.header.Get("ETag"))
	nobody.must(403, "POST", "/v1/channels/demo/cut", `{}`, "Cookie", cookie, "Origin", ownPage) // at once
	c.must(200, "PATCH", "/v1/users/anna", `{"password":"battery staple"}`, "If-Match", "*")
	nobody.must(401, "GET", "/v1/session", "", "Cookie", cookie)
	signIn(t, node, 401, "anna", "correct horse")
	cookie = signIn(t, node, 200, "anna", "battery staple")
	require.EqualValues(t, 1, c.must(200, "GET", "/v1/users/anna", "").field(t, "sessions"))
	c.must(204, "DELETE", "/v1/users/anna", "", "If-Match", "*")
	nobody.must(401, "GET", "/v1/session", "", "Cookie", cookie)
	c.must(404, "GET", "/v1/users/anna", "")
	nobody.must(422, "POST", "/v1/session", `{}`)
	nobody.must(422, "POST", "/v1/session", `{"token":"12345678901234567890","user":"a","password":"b"}`)
}

func TestSessionsOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, dir)
	newClient(t, node, api.ScopeManage).must(201, "POST", "/v1/users", `{"id":"anna","role":"admin","password":"correct horse"}`)
	cookie := signIn(t, node, 200, "anna", "correct horse")
	require.NoError(t, node.Close())
	node = openNode(t, dir)
	client{t, node, ""}.must(200, "GET", "/v1/keys", "", "Cookie", cookie)
}

func TestGuessingIsSlow(t *testing.T) {
	node := openNode(t, t.TempDir())
	newClient(t, node, api.ScopeManage).must(201, "POST", "/v1/users", `{"id":"anna","role":"admin","password":"correct horse"}`)
	open := signIn(t, node, 200, "anna", "correct horse")
	for range triesAtOne {
		signIn(t, node, 401, "anna", "wrong horse")
	}
	signIn(t, node, 429, "anna", "correct horse")
	client{t, node, ""}.must(200, "GET", "/v1/session", "", "Cookie", open) // who is in stays in
	signIn(t, node, 401, "nobody", "wrong horse")                           // another name is another's
}

func TestTheGateOpensAgainAndForgets(t *testing.T) {
	g, now := newGate(), time.Now()
	for range triesAtOne {
		require.NoError(t, g.closed("anna", now))
		g.failed("anna", now)
	}
	require.Error(t, g.closed("anna", now))
	require.NoError(t, g.closed("anna", now.Add(tryEvery)))
	now = now.Add(time.Hour)
	for i := range 3 * gateNames {
		g.failed(fmt.Sprint(i), now)
		now = now.Add(tryEvery * triesAtOne)
	}
	require.LessOrEqual(t, len(g.byName), gateNames)
	for range triesAll {
		g.failed("x", now)
	}
	require.Error(t, g.closed("anybody", now), "all names together are slowed down too")
}

func TestASessionInUseNeverEnds(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, dir)
	secret, _, err := node.OpenSession(t.Context(), api.SessionRequest{Token: node.newLink()})
	require.NoError(t, err)
	age := func(d time.Duration) {
		node.access.mu.Lock()
		defer node.access.mu.Unlock()
		id := hashKey(secret)
		session := node.access.sessions[id]
		session.Value.Expires.Time = session.Value.Expires.Add(-d)
		node.access.sessions[id] = session
	}
	for range 5 {
		age(sessionLife - time.Hour)
		_, ok := node.SessionHolder(secret)
		require.True(t, ok)
	}
	age(sessionLife)
	_, ok := node.SessionHolder(secret)
	require.False(t, ok)
}

func TestPasswords(t *testing.T) {
	p := newPassword("correct horse")
	require.True(t, p.matches("correct horse"))
	require.False(t, p.matches("correct Horse"))
	require.False(t, password{}.matches(""))
	require.NotEqual(t, p, newPassword("correct horse"), "salted")
}
