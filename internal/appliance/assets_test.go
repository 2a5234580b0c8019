package appliance

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/font/gofont/goregular"

	"millrace/api"
)

func pngOf(t testing.TB, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, width, height))))
	return b.Bytes()
}

// promising is a PNG whose header lies about its size.
func promising(t testing.TB, width, height uint32) []byte {
	t.Helper()
	text := bytes.Clone(pngOf(t, 4, 4))
	binary.BigEndian.PutUint32(text[16:], width)
	binary.BigEndian.PutUint32(text[20:], height)
	binary.BigEndian.PutUint32(text[29:], crc32.ChecksumIEEE(text[12:29]))
	return text
}

// upload sends a file; headers are pairs.
func (c client) upload(query string, file []byte, headers ...string) answer {
	c.t.Helper()
	r := httptest.NewRequest("POST", "/v1/assets"+query, bytes.NewReader(file))
	r.Header.Set("Authorization", "Bearer "+c.key)
	r.Header.Set("Content-Type", "application/octet-stream")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.node.handler.ServeHTTP(w, r)
	return answer{w.Code, w.Result().Header, w.Body.String()}
}

func TestAssetLife(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, dir)
	c := newClient(t, node, api.ScopeOperate)
	logo := pngOf(t, 64, 32)
	sum := sha256.Sum256(logo)
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	made := c.upload("?id=logo&name=Our+logo", logo, "Content-Digest", "md5=:AAAA:, "+digest)
	require.Equal(t, 201, made.status, made.body)
	require.JSONEq(t, fmt.Sprintf(`{"id":"logo","name":"Our logo","kind":"image","format":"png","bytes":%d,"sha256":"%x","width":64,"height":32,"createdAt":%q}`,
		len(logo), sum, made.field(t, "createdAt")), made.body)
	require.Equal(t, 409, c.upload("?id=logo", logo).status)
	require.Equal(t, 400, c.upload("?id=other", pngOf(t, 2, 2), "Content-Digest", digest).status)
	require.Equal(t, 400, c.upload("?id=other", logo, "Content-Digest", "sha-256=:short:").status)
	require.Equal(t, 403, newClient(t, node, api.ScopeView).upload("", logo).status)

	got := c.must(200, "GET", "/v1/assets/logo/content", "")
	require.Equal(t, string(logo), got.body)
	require.Equal(t, "image/png", got.header.Get("Content-Type"))
	require.Contains(t, got.header.Get("Content-Security-Policy"), "sandbox")
	require.Equal(t, string(logo[4:8]), c.must(206, "GET", "/v1/assets/logo/content", "", "Range", "bytes=4-7").body)
	picture, err := node.Picture("logo", 64*32)
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 64, 32), picture.Rect)
	picture, err = node.Picture("logo", 64*32/4)
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 32, 16), picture.Rect)

	unnamed := c.upload("", logo)
	require.Equal(t, 201, unnamed.status)
	c.must(204, "DELETE", "/v1/assets/"+unnamed.field(t, "id").(string), "", "If-Match", "*")
	left, err := os.ReadDir(filepath.Join(dir, "assets"))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing else is left")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "assets", "cut-off.part"), logo, 0o600))
	require.NoError(t, node.Close())

	node = openNode(t, dir)
	require.NoFileExists(t, filepath.Join(dir, "assets", "cut-off.part"))
	again := client{t, node, c.key}
	require.Equal(t, "image", again.must(200, "GET", "/v1/assets/logo", "").field(t, "kind"))
}

func TestAssetsInUseStay(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	require.Equal(t, 201, c.upload("?id=logo", pngOf(t, 4, 4)).status)
	node.assets.uses = func() map[string][]string { return map[string][]string{"logo": {"demo"}} }
	require.Contains(t, c.must(409, "DELETE", "/v1/assets/logo", "", "If-Match", "*").body, "demo")
	require.Contains(t, c.must(200, "GET", "/v1/assets", "").body, `"usedBy":["demo"]`)
	uses := map[string]bool{}
	named(map[string]any{"a": []any{map[string]any{"asset": "x"}}, "asset": "y", "b": map[string]any{"asset": 3.0}}, func(id string) { uses[id] = true })
	require.Equal(t, map[string]bool{"x": true, "y": true}, uses)
}

func TestBadFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	c := newClient(t, openNode(t, dir), api.ScopeManage)
	whole := pngOf(t, 64, 64)
	var photo bytes.Buffer
	require.NoError(t, jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 32, 32)), nil))
	transport := bytes.Repeat(append([]byte{0x47}, make([]byte, 187)...), 10)
	for _, row := range []struct {
		name   string
		file   []byte
		status int
		says   string
	}{
		{"nothing", nil, 415, "no PNG"},
		{"text", []byte("hello"), 415, "no PNG"},
		{"markup", []byte("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"), 415, "no PNG"},
		{"cut off", whole[:len(whole)-30], 422, "no whole picture"},
		{"a lie of 100 megapixels", promising(t, 10_000, 10_000), 422, "more than 33177600"},
		{"a lie that overflows", promising(t, 1<<31-1, 1<<31-1), 422, "no whole picture"},
		{"a lie of no size", promising(t, 0, 7), 422, "no whole picture"},
		{"a lie that fits", promising(t, 400, 400), 422, "no whole picture"},
		{"half a font", goregular.TTF[:200], 422, "no whole font"},
		{"a picture that is too long", append(bytes.Clone(whole), make([]byte, maxPicture)...), 413, "may have"},
		{"a font", goregular.TTF, 201, "font"},
		{"a photo", photo.Bytes(), 201, "jpeg"},
		{"a transport stream", transport, 422, "neither a key frame nor sound"},
		{"a film", append([]byte("\x00\x00\x00\x18ftypisom"), make([]byte, 100)...), 422, "no moov box"},
	} {
		a := c.upload("", row.file)
		require.Equal(t, row.status, a.status, "%s: %s", row.name, a.body)
		require.Contains(t, a.body, row.says, row.name)
	}
	left, err := os.ReadDir(filepath.Join(dir, "assets"))
	require.NoError(t, err)
	require.Len(t, left, 2, "what was refused leaves nothing")
	for _, id := range []string{"..", "a/b", "A", strings.Repeat("a", 41)} {
		require.Equal(t, 422, c.upload("?id="+id, whole).status, id)
	}
}

// brokenPipe is a client that goes away.
type brokenPipe struct{ io.Reader }

func (b brokenPipe) Read(p []byte) (int, error) {
	if n, err := b.Reader.Read(p); err == nil {
		return n, nil
	}
	return 0, errors.New("connection reset")
}

func TestAnUploadThatEndsEarlyLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, dir)
	_, err := node.CreateAsset(t.Context(), "logo", "", nil, brokenPipe{bytes.NewReader(pngOf(t, 300, 300))})
	require.ErrorContains(t, err, "did not arrive whole")
	left, err := os.ReadDir(filepath.Join(dir, "assets"))
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = node.CreateAsset(t.Context(), "logo", "", nil, bytes.NewReader(pngOf(t, 3, 3)))
	require.NoError(t, err, "its id is free again")
}

func FuzzAsset(f *testing.F) {
	f.Add(pngOf(f, 8, 8))
	f.Add(promising(f, 1<<20, 1<<20))
	f.Add(goregular.TTF[:4000])
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8 "))
	f.Fuzz(func(t *testing.T, file []byte) {
		kind, format, ok := recognise(file)
		if !ok {
			return
		}
		asset := api.Asset{Kind: kind, Format: format}
		if examine(&asset, bytes.NewReader(file)) == nil && kind == api.Image {
			require.Positive(t, asset.Width)
			require.LessOrEqual(t, asset.Width*asset.Height, maxPixels)
		}
	})
}
