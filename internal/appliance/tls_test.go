package appliance

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/appliance/config"
)

// certificateOf is what a client sees of a TLS listener.
func certificateOf(t *testing.T, address string) *x509.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	defer conn.Close()
	require.Equal(t, "h2", conn.ConnectionState().NegotiatedProtocol)
	return conn.ConnectionState().PeerCertificates[0]
}

func serveTLS(t *testing.T, cfg config.TLS, dir string) (address string) {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener, err := wrapTLS(plain, cfg, dir, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	server := &http.Server{Handler: http.NotFoundHandler()}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	return plain.Addr().String()
}

func TestSelfSignedCertificateIsKept(t *testing.T) {
	dir := t.TempDir()
	address := serveTLS(t, config.TLS{Mode: "selfsigned"}, dir)
	first := certificateOf(t, address)
	require.NoError(t, first.VerifyHostname("localhost"))
	require.NoError(t, first.VerifyHostname("127.0.0.1"))
	require.Greater(t, time.Until(first.NotAfter), 390*24*time.Hour)
	info, err := os.Stat(filepath.Join(dir, "tls.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	again := serveTLS(t, config.TLS{Mode: "selfsigned"}, dir)
	require.Equal(t, first.Raw, certificateOf(t, again).Raw, "a restart keeps the certificate that people have accepted")
}

func TestRenewedCertificateFilesAreTakenUp(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key")
	require.NoError(t, makeSelfSigned(cert, key))
	pair := &certificateFiles{cert: cert, key: key, log: slog.New(slog.DiscardHandler)}
	first, err := pair.get(nil)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(cert, []byte("broken"), 0o600))
	require.NoError(t, os.Chtimes(cert, time.Now(), time.Now().Add(time.Minute)))
	pair.asked = time.Time{}
	broken, err := pair.get(nil)
	require.NoError(t, err)
	require.Same(t, first, broken, "a broken renewal leaves the old one in use")

	require.NoError(t, makeSelfSigned(cert, key))
	require.NoError(t, os.Chtimes(cert, time.Now(), time.Now().Add(2*time.Minute)))
	pair.asked = time.Time{}
	renewed, err := pair.get(nil)
	require.NoError(t, err)
	require.NotEqual(t, first.Certificate, renewed.Certificate)
}

func TestMissingCertificateIsASentence(t *testing.T) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer plain.Close()
	_, err = wrapTLS(plain, config.TLS{Mode: "files", Cert: "/nonexistent/a.crt", Key: "/nonexistent/a.key"}, t.TempDir(), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "read TLS certificate /nonexistent/a.crt")
}
