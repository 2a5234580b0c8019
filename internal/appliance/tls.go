package appliance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"millrace/internal/appliance/config"
)

// What a self-signed certificate is made for.
const (
	selfSignedLife  = 397 * 24 * time.Hour // browsers refuse a longer one
	selfSignedRenew = 30 * 24 * time.Hour
)

// wrapTLS puts TLS 1.2 or newer, with HTTP/2, in front of a listener where its
// configuration asks for it. dataDir keeps a self-signed certificate.
func wrapTLS(listener net.Listener, cfg config.TLS, dataDir string, log *slog.Logger) (net.Listener, error) {
	switch cfg.Mode {
	case "selfsigned":
		certificate, key, err := selfSigned(dataDir)
		if err != nil {
			return nil, err
		}
		cfg.Cert, cfg.Key = certificate, key
	case "files":
	default:
		return listener, nil
	}
	pair := &certificateFiles{cert: cfg.Cert, key: cfg.Key, log: log}
	if _, err := pair.get(nil); err != nil {
		return nil, err
	}
	return tls.NewListener(listener, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: pair.get,
	}), nil
}

// certificateFiles is a certificate that is read again when its file changed,
// so that renewing it needs no restart. A broken new one leaves the old in use.
type certificateFiles struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	seen   time.Time // modification time of the files that were tried last
	asked  time.Time
}

// checkFiles is how often the files are looked at.
const checkFiles = 10 * time.Second

// get implements tls.Config.GetCertificate.
func (c *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loaded != nil && time.Since(c.asked) < checkFiles {
		return c.loaded, nil
	}
	c.asked = time.Now()
	info, err := os.Stat(c.cert)
	if err == nil && c.loaded != nil && info.ModTime().Equal(c.seen) {
		return c.loaded, nil
	}
	if err == nil {
		c.seen = info.ModTime()
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.cert, c.key); err == nil {
			c.loaded = &pair
			return c.loaded, nil
		}
	}
	err = fmt.Errorf("read TLS certificate %s with key %s: %w", c.cert, c.key, err)
	if c.loaded == nil {
		return nil, err
	}
	c.log.Error("the changed TLS certificate is not used", "err", err)
	return c.loaded, nil
}

// selfSigned gives the files of the node's own certificate, made or renewed
// where there is none that lasts.
func selfSigned(dataDir string) (cert, key string, err error) {
	cert, key = filepath.Join(dataDir, "tls.crt"), filepath.Join(dataDir, "tls.key")
	text, err := os.ReadFile(cert)
	if err == nil {
		block, _ := pem.Decode(text)
		if block != nil {
			parsed, parseErr := x509.ParseCertificate(block.Bytes)
			if parseErr == nil && time.Until(parsed.NotAfter) > selfSignedRenew {
				return cert, key, nil
			}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("read self-signed certificate: %w", err)
	}
	if err := makeSelfSigned(cert, key); err != nil {
		return "", "", fmt.Errorf("make self-signed certificate: %w", err)
	}
	return cert, key, nil
}

func makeSelfSigned(certPath, keyPath string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Millrace"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: localAddresses(),
	}
	if name, err := os.Hostname(); err == nil {
		template.DNSNames = append(template.DNSNames, name)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	// The key first: a certificate without its key would be taken for whole.
	if err := writeSecretFile(keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})); err != nil {
		return err
	}
	return writeSecretFile(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// localAddresses are the IP addresses under which this machine is reached.
func localAddresses() []net.IP {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	var ips []net.IP
	for _, address := range addresses {
		if n, ok := address.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			ips = append(ips, n.IP)
		}
	}
	return ips
}
