package appliance

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// vault seals the secrets that operators must be able to see again: source
// keys and SRT passphrases. The node key lies beside the state, readable by
// the node only.
type vault struct{ seal cipher.AEAD }

const nodeKeySize = 32 // bytes; AES-256

// openVault reads the node key under dir, or makes one.
func openVault(dir string) (*vault, error) {
	path := filepath.Join(dir, "node.key")
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, nodeKeySize)
		rand.Read(key) // never fails (crypto/rand)
		err = writeSecretFile(path, key)
	}
	if err != nil {
		return nil, fmt.Errorf("open node key: %w", err)
	}
	if len(key) != nodeKeySize {
		return nil, fmt.Errorf("open node key: %s is damaged: %d bytes, want %d; restore it from a backup", path, len(key), nodeKeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("open node key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("open node key: %w", err)
	}
	return &vault{aead}, nil
}

// writeSecretFile makes a file that is whole or absent, also after a power cut.
func writeSecretFile(path string, content []byte) error {
	tmp, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(content); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// sealed encrypts a secret for the purpose named by label; an empty secret
// stays empty.
func (v *vault) sealed(secret, label string) []byte {
	if secret == "" {
		return nil
	}
	nonce := make([]byte, v.seal.NonceSize())
	rand.Read(nonce)
	return v.seal.Seal(nonce, nonce, []byte(secret), []byte(label))
}

// opened is the inverse of sealed.
func (v *vault) opened(sealed []byte, label string) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	size := v.seal.NonceSize()
	if len(sealed) < size {
		return "", fmt.Errorf("open sealed %s: too short", label)
	}
	secret, err := v.seal.Open(nil, sealed[:size], sealed[size:], []byte(label))
	if err != nil {
		return "", fmt.Errorf("open sealed %s: the node key is not the one it was sealed with: %w", label, err)
	}
	return string(secret), nil
}

const (
	keyAlphabet = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	keyLength   = 32 // letters; 187 bits
)

// newKey is a fresh secret of letters that every client passes on unchanged.
func newKey() string {
	key := make([]byte, 0, keyLength)
	random := make([]byte, 2*keyLength)
	for len(key) < keyLength {
		rand.Read(random)
		for _, b := range random {
			// Bytes beyond the last whole multiple would favour some letters.
			if int(b) < 256-256%len(keyAlphabet) && len(key) < keyLength {
				key = append(key, keyAlphabet[int(b)%len(keyAlphabet)])
			}
		}
	}
	return string(key)
}

// hashKey is how keys are stored and looked up. They are random and long, so
// that a plain hash cannot be searched.
func hashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
