package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// requestLimit bounds what one request may take: a blocking one is held for
// three target durations at most.
const requestLimit = 30 * time.Second

// bodyLimit bounds what is read of one answer.
const bodyLimit = 64 << 20

// Client asks one URL at a time, follows no redirect and unpacks nothing.
type Client struct{ http *http.Client }

// Answer is what came back, and when. Err is of the transport; Status is 0 then.
type Answer struct {
	URL                string
	Asked, First, Done time.Time // First: the headers
	Status             int
	Proto              string
	Header             http.Header
	Body               []byte
	Arrivals           []Arrival
	Chunked            bool
	Err                error
}

// Arrival is when the body had so many bytes.
type Arrival struct {
	At    time.Time
	Bytes int
}

// NewClient has as many connections as it needs.
func NewClient() *Client {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, ForceAttemptHTTP2: true}
	return &Client{&http.Client{
		Transport:     transport,
		Timeout:       requestLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Get asks for a URL. Headers come in pairs.
func (c *Client) Get(ctx context.Context, url string, headers ...string) *Answer {
	return c.do(ctx, http.MethodGet, url, headers...)
}

func (c *Client) do(ctx context.Context, method, url string, headers ...string) *Answer {
	a := &Answer{URL: url, Asked: time.Now()}
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		a.Err = fmt.Errorf("make request: %w", err)
		return a
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(request)
	a.First, a.Done = time.Now(), time.Now()
	if err != nil {
		a.Err = fmt.Errorf("ask: %w", err)
		return a
	}
	defer response.Body.Close()
	a.Status, a.Header, a.Proto = response.StatusCode, response.Header, response.Proto
	a.Chunked = len(response.TransferEncoding) > 0
	a.read(response.Body)
	a.Done = time.Now()
	return a
}

func (a *Answer) read(body io.Reader) {
	buffer := make([]byte, 64<<10)
	for len(a.Body) < bodyLimit {
		n, err := body.Read(buffer)
		a.Body = append(a.Body, buffer[:n]...)
		if n > 0 {
			a.Arrivals = append(a.Arrivals, Arrival{time.Now(), len(a.Body)})
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			a.Err = fmt.Errorf("read answer: %w", err)
			return
		}
	}
}

// OK says that the whole body came with 200.
func (a *Answer) OK() bool { return a.Err == nil && a.Status == http.StatusOK }

// String is the outcome in a few words.
func (a *Answer) String() string {
	if a.Err != nil {
		return fmt.Sprintf("%s: %v", a.URL, a.Err)
	}
	return fmt.Sprintf("%s: %d after %s", a.URL, a.Status, a.First.Sub(a.Asked).Round(time.Millisecond))
}

// Spread is the time from the first byte of the body to the last.
func (a *Answer) Spread() time.Duration {
	if len(a.Arrivals) == 0 {
		return 0
	}
	return a.Arrivals[len(a.Arrivals)-1].At.Sub(a.Arrivals[0].At)
}

// Unpacked is the body, which may have been sent gzipped.
func (a *Answer) Unpacked() ([]byte, error) {
	if a.Header.Get("Content-Encoding") != "gzip" {
		return a.Body, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(a.Body))
	if err != nil {
		return nil, fmt.Errorf("unpack answer: %w", err)
	}
	defer reader.Close()
	return io.ReadAll(io.LimitReader(reader, bodyLimit))
}
