package agent_test

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// keysOf is what a host says of the keys of the first network.
func keysOf(h *lab.Host) (api.Keys, api.NetworkKeys, error) {
	client := api.New(h.RunDir())
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	k, err := client.Keys(ctx)
	if err != nil || len(k.Networks) == 0 {
		return k, api.NetworkKeys{}, errors.Join(err, fmt.Errorf("host %s has keys %+v", h.Name(), k))
	}
	return k, k.Networks[0], nil
}

// oneKey waits until the hosts, or all, sign with one key that is not one of the old ones.
func oneKey(t *testing.T, l *lab.Lab, what string, old ...string) string {
	t.Helper()
	return oneKeyOf(t, l.Hosts(), what, old...)
}

func oneKeyOf(t *testing.T, hosts []*lab.Host, what string, old ...string) (id string) {
	t.Helper()
	eventually(t, patience, what, func() error {
		id = ""
		for _, h := range hosts {
			_, n, err := keysOf(h)
			if err != nil {
				return err
			}
			if !n.Agreed || slices.Contains(old, n.Sign) || id != "" && n.Sign != id {
				return fmt.Errorf("host %s signs with %q, others with %q: %+v", h.Name(), n.Sign, id, n)
			}
			id = n.Sign
		}
		return nil
	})
	return id
}

// unreadable counts what hosts could not read for want of a key.
func unreadable(t *testing.T, l *lab.Lab) (n uint64) {
	t.Helper()
	for _, h := range l.Hosts() {
		for _, network := range status(t, h).Networks {
			n += network.Datagrams.Refused["key"] + network.Multicast.Datagrams.Refused["key"]
		}
	}
	return n
}

// TestKeysRotateUnderLoadAndLoss: twenty rotations on orders from every host, with 500 connections a second and a fifth of all heartbeats
// lost. Nothing that a member says is unreadable to another, the view stays, and no request fails.
func TestKeysRotateUnderLoadAndLoss(t *testing.T) {
	l := farm(t, "")
	epoch := ready(t, l)
	key := oneKey(t, l, "first key")
	for _, h := range l.Hosts() {
		if err := h.Loss(20, lab.HeartbeatPort, lab.Sent); err != nil {
			t.Fatal(err)
		}
	}
	before, traffic := unreadable(t, l), requests(t, l, 500)
	for i := range 20 {
		h := l.Hosts()[i%3]
		if out := muster(t, h, "key", "rotate"); !strings.Contains(out, "all hosts of the view sign with key") {
			t.Fatalf("rotation %d: %s", i, out)
		}
		next := oneKey(t, l, fmt.Sprintf("key %d", i+2), key)
		key = next
	}
	if bad := failed(traffic.stop(t)); len(bad) > 0 {
		t.Errorf("%d requests failed, the first %+v", len(bad), bad[0])
	}
	if after := unreadable(t, l); after != before {
		t.Errorf("%d heartbeats of members could not be read", after-before)
	}
	if now := ready(t, l); now != epoch {
		t.Errorf("view %d, want still %d", now, epoch)
	}
	eventually(t, patience, "old keys are dropped", func() error {
		_, n, err := keysOf(l.Host("c"))
		if err == nil && len(n.Keys) != 1 {
			return fmt.Errorf("%+v", n.Keys)
		}
		return err
	})
	if traffic.count(load.Request) == 0 {
		t.Error("there was no load")
	}
}

// TestKeysFollowTheHosts: a host that leaves takes no key along that is used on, a restarted one gets the key, and halves of a cluster
// find together again.
func TestKeysFollowTheHosts(t *testing.T) {
	l := farm(t, "")
	a, b, c := l.Host("a"), l.Host("b"), l.Host("c")
	first := oneKey(t, l, "first key")
	eventually(t, 2*patience, "the rest after the first key", func() error { // no key for each of hosts that come and go
		_, n, err := keysOf(a)
		if err == nil && (len(n.Keys) != 1 || n.Keys[0].AgeMS < 9000) {
			return fmt.Errorf("%+v", n.Keys)
		}
		return err
	})
	stop(t, c)
	second := oneKeyOf(t, []*lab.Host{a, b}, "another key once c has left", first)
	start(t, l, "c")
	if third := oneKey(t, l, "c has the key"); third == first {
		t.Errorf("key %s is used again", third)
	}
	kill(t, a) // the responsible host
	start(t, l, "a")
	now := oneKey(t, l, "a has the key")
	if err := l.Partition([]string{"a", "b"}, []string{"c"}); err != nil {
		t.Fatal(err)
	}
	members(t, a, "a", "b")
	other := oneKeyOf(t, []*lab.Host{a, b}, "another key without c", second, now)
	if err := l.Heal(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	if id := oneKey(t, l, "one key after the partition"); id == now {
		t.Errorf("back to key %s, from %s", now, other)
	}
	mustServe(t, l, "a", "b", "c")
}

// newSecret replaces the secret's file.
func newSecret(t *testing.T, l *lab.Lab) (old []byte) {
	t.Helper()
	path := filepath.Join(l.Dir(), "secret.key")
	old, err := os.ReadFile(path)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	muster(t, l.Host("a"), "key", "new", path)
	return old
}

// TestSecretIsReplacedWhileRunning: no view changes, the guard's farewells are good with the new secret, and who comes with the old one is
// refused and named.
func TestSecretIsReplacedWhileRunning(t *testing.T) {
	l := farm(t, "")
	a, b, c := l.Host("a"), l.Host("b"), l.Host("c")
	epoch, key := ready(t, l), oneKey(t, l, "first key")
	k, _, err := keysOf(a)
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(l.Dir(), "secret.key")
	for name, content := range map[string]string{"it holds 3 bytes": "YWJj\n", "not base64": "?\n"} {
		old, err := os.ReadFile(secret)
		if err != nil {
			t.Fatal(err)
		}
		write(t, secret, content)
		if _, err := a.Muster(t.Context(), "reload"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("reload with a bad secret says %v, want %q", err, name)
		}
		write(t, secret, string(old))
	}
	old := newSecret(t, l)
	muster(t, a, "reload")
	eventually(t, patience, "a waits for b and c, and says so", func() error {
		k, _, err := keysOf(a)
		if err == nil && (k.Secret.Other == "" || !slices.Equal(k.Secret.Waits, []string{"b", "c"})) {
			return fmt.Errorf("%+v", k.Secret)
		}
		if s := status(t, a); err == nil && !strings.Contains(fmt.Sprint(s.Problems), "b, c does not have it") {
			return fmt.Errorf("problems %+v", s.Problems)
		}
		return err
	})
	muster(t, b, "reload")
	muster(t, c, "reload")
	eventually(t, patience, "all have the new secret alone", func() error {
		for _, h := range l.Hosts() {
			now, _, err := keysOf(h)
			if err != nil || now.Secret.ID == k.Secret.ID || now.Secret.Other != "" {
				return errors.Join(err, fmt.Errorf("host %s: %+v", h.Name(), now.Secret))
			}
		}
		return nil
	})
	oneKey(t, l, "another key after the change", key)
	if now := ready(t, l); now != epoch {
		t.Errorf("view %d, want still %d", now, epoch)
	}
	killed := kill(t, c)
	members(t, a, "a", "b")
	if last := lastEvent(t, a, "view_installed"); last.At.Sub(killed) > 200*time.Millisecond {
		t.Errorf("the guard's farewell came to nothing: a new view %v after the kill", last.At.Sub(killed))
	}
	fresh, err := os.ReadFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	write(t, secret, string(old))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "c is refused and named", func() error {
		s := status(t, a)
		if s.Datagrams.Refused["key"] == 0 || !strings.Contains(fmt.Sprint(s.Problems), "secret that this host does not have") {
			return fmt.Errorf("refused %v, problems %+v", s.Datagrams.Refused, s.Problems)
		}
		return nil
	})
	if _, n, err := keysOf(c); err != nil || len(n.Keys) > 0 {
		t.Errorf("with a wrong secret c holds %+v, %v", n.Keys, err)
	}
	write(t, secret, string(fresh))
	muster(t, c, "reload") // the remedy; nothing else is needed
	ready(t, l)
	mustServe(t, l, "a", "b", "c")
}

// write puts text into a file that is there.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKeysStayInMemory finds the key in use in the memory of an agent, by its id, and looks for it and for the secret in everything that
// the agent has written or says.
func TestKeysStayInMemory(t *testing.T) {
	l := farm(t, "")
	a := l.Host("a")
	oneKey(t, l, "first key")
	muster(t, a, "key", "rotate")
	id := oneKey(t, l, "second key")
	key := keyInMemory(t, a, id)
	text, err := os.ReadFile(filepath.Join(l.Dir(), "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string][]byte{}
	for _, command := range [][]string{{"status", "--json"}, {"key", "list", "--json"}, {"events", "--json"}} {
		said[strings.Join(command, " ")] = []byte(muster(t, a, command...))
	}
	files := 0
	for _, dir := range []string{a.RunDir(), a.StateDir(), a.LogPath("agent")} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			content, err := os.ReadFile(path)
			if err == nil {
				said[path] = content
				files++
			}
			return nil // pinned maps cannot be read
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 3 {
		t.Errorf("only %d files: the search is broken", files)
	}
	for where, content := range said {
		for what, bytesOf := range map[string][]byte{"key": key, "secret": secret} {
			for _, form := range []string{string(bytesOf), hex.EncodeToString(bytesOf), base64.StdEncoding.EncodeToString(bytesOf), strings.Trim(fmt.Sprint(bytesOf), "[]")} {
				if bytes.Contains(content, []byte(form)) {
					t.Errorf("the %s is in %s", what, where)
				}
			}
		}
	}
}

// mostZeros leaves out what is no random key: one with more zeros in its 32 bytes turns up once in ten million.
const mostZeros = 4

// keyInMemory is the key with an id, from the heap of a host's agent: nobody else has it. Go puts what has 32 bytes at multiples of 32.
func keyInMemory(t *testing.T, h *lab.Host, id string) []byte {
	t.Helper()
	agent, err := h.Agent()
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", agent.PID()))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", agent.PID()))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	tag := sha256.Sum256([]byte("shop"))
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		if _, err := fmt.Sscanf(line, "%x-%x rw-p", &from, &to); err != nil || strings.Contains(line, "/") {
			continue // not memory, or a file's
		}
		block := make([]byte, to-from)
		n, _ := mem.ReadAt(block, int64(from))
		for block = block[:n]; len(block) >= 32; block = block[32:] {
			if bytes.Count(block[:32], []byte{0}) <= mostZeros && keyID(block[:32], tag[:8]) == id {
				return bytes.Clone(block[:32])
			}
		}
	}
	t.Fatalf("no key %s in the memory of host %s: the search is broken", id, h.Name())
	return nil
}

// keyID is what docs/design/0006-keys.md says of ids.
func keyID(key, tag []byte) string {
	extract, err := hkdf.Extract(sha256.New, key, tag)
	if err != nil {
		return ""
	}
	id, err := hkdf.Expand(sha256.New, extract, "muster key id", 4)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%08x", binary.BigEndian.Uint32(id))
}
