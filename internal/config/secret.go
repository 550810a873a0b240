package config

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SecretSize is the length of a cluster's secret in bytes.
const SecretSize = 32

// maxSecretFile is generous: 44 characters of base64 and a newline.
const maxSecretFile = 256

// Errors of secrets, for errors.Is.
var (
	ErrSecretExists  = errors.New("the secret exists already")
	ErrSecretMode    = errors.New("the secret can be read by others")
	ErrSecretContent = errors.New("the file is not a secret")
)

// NewSecret makes a file with a new secret. It never overwrites one: hosts with the old one would be shut out.
func NewSecret(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("create secret: %w: %s; use it, or move it away first", ErrSecretExists, path)
	}
	if err != nil {
		return fmt.Errorf("create secret: %w", err)
	}
	if err := writeSecret(f); err != nil {
		return errors.Join(fmt.Errorf("write secret %s: %w", path, err), os.Remove(path))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write secret %s: %w", path, err)
	}
	return nil
}

// writeSecret fills a new file, makes it durable and closes it.
func writeSecret(f *os.File) error {
	var secret [SecretSize]byte
	rand.Read(secret[:]) // never fails: the runtime ends the program instead
	_, err := f.WriteString(base64.StdEncoding.EncodeToString(secret[:]) + "\n")
	if err == nil {
		err = f.Chmod(0o600) // whatever the umask says
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes a new name in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// LoadSecret reads a file that NewSecret made.
func LoadSecret(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe must not make the agent wait; private refuses it
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("load secret: %w; make one with `muster key new %s` on one host and copy it to the others", err, path)
	}
	if err != nil {
		return nil, fmt.Errorf("load secret: %w", err)
	}
	defer f.Close()
	if err := private(f); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return nil, fmt.Errorf("load secret: %w", err)
	}
	secret, err := decodeSecret(text)
	if err != nil {
		return nil, fmt.Errorf("load secret %s: %w; make one with `muster key new` or copy it again from another host", path, err)
	}
	return secret, nil
}

// private refuses a file that is not a plain one or that others than its owner may touch.
func private(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("load secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("load secret %s: %w: not a regular file; give the path of a file made by `muster key new`", f.Name(), ErrSecretContent)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("load secret: %w: %s has mode %04o; run `chmod 600 %s`", ErrSecretMode, f.Name(), mode, f.Name())
	}
	return nil
}

func decodeSecret(text []byte) ([]byte, error) {
	if len(text) > maxSecretFile {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrSecretContent, maxSecretFile)
	}
	secret, err := base64.StdEncoding.Strict().DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil, fmt.Errorf("%w: it is not base64", ErrSecretContent) // the cause could show a part of the secret
	}
	if len(secret) != SecretSize {
		return nil, fmt.Errorf("%w: it holds %d bytes, not %d", ErrSecretContent, len(secret), SecretSize)
	}
	return secret, nil
}
