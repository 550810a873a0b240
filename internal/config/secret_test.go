package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNewSecretCanBeLoaded(t *testing.T) {
	dir := t.TempDir()
	var secrets [][]byte
	for _, name := range []string{"one", "two"} {
		path := filepath.Join(dir, name)
		if err := NewSecret(path); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("mode %v, %v", info.Mode(), err)
		}
		s, err := LoadSecret(path)
		if err != nil || len(s) != SecretSize {
			t.Fatalf("%d bytes, %v", len(s), err)
		}
		secrets = append(secrets, s)
	}
	if bytes.Equal(secrets[0], secrets[1]) {
		t.Error("two secrets are the same")
	}
}

func TestNewSecretNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := NewSecret(path)
	if !errors.Is(err, ErrSecretExists) || !strings.Contains(err.Error(), "move it away first") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("the file is now %q", b)
	}
}

func TestNewSecretSaysWhyItCannot(t *testing.T) {
	err := NewSecret(filepath.Join(t.TempDir(), "none", "secret.key"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestLoadSecretRefuses(t *testing.T) {
	of := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	tests := []struct {
		name, content string
		mode          os.FileMode
		is            error
		says          string
	}{
		{"group may read", of(32), 0o640, ErrSecretMode, "chmod 600"},
		{"others may read", of(32), 0o604, ErrSecretMode, "chmod 600"},
		{"others may write", of(32), 0o602, ErrSecretMode, "chmod 600"},
		{"empty", "", 0o600, ErrSecretContent, "0 bytes"},
		{"short", of(31), 0o600, ErrSecretContent, "31 bytes"},
		{"long", of(33), 0o600, ErrSecretContent, "33 bytes"},
		{"oversized", of(32) + strings.Repeat("\n", maxSecretFile), 0o600, ErrSecretContent, "longer than 256 bytes"},
		{"not base64", "SECRETSECRET!", 0o600, ErrSecretContent, "not base64"},
		{"two secrets", of(32) + "\n" + of(32), 0o600, ErrSecretContent, "not base64"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secret.key")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, test.mode); err != nil {
				t.Fatal(err)
			}
			s, err := LoadSecret(path)
			if s != nil || !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, %v", s, err)
			}
			if strings.Contains(err.Error(), "SECRET!") {
				t.Errorf("%v shows the content", err)
			}
		})
	}
}

func TestLoadSecretRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSecret(dir); !errors.Is(err, ErrSecretContent) {
		t.Errorf("directory: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSecret(pipe); !errors.Is(err, ErrSecretContent) {
		t.Errorf("pipe: %v", err)
	}
	_, err := LoadSecret(filepath.Join(dir, "none"))
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "muster key new") {
		t.Errorf("missing: %v", err)
	}
}

func FuzzDecodeSecret(f *testing.F) {
	f.Add([]byte(base64.StdEncoding.EncodeToString(make([]byte, SecretSize)) + "\n"))
	f.Add([]byte("AAAA"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := decodeSecret(text)
		if (err == nil) != (len(s) == SecretSize) {
			t.Errorf("%d bytes with %v", len(s), err)
		}
	})
}
