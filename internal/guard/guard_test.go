package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain turns the test binary into a guard, or into an agent that holds one, when a test asks for it.
func TestMain(m *testing.M) {
	switch os.Getenv("GUARD_TEST_ROLE") {
	case "guard":
		revoke := func(dir string) error { return os.WriteFile(filepath.Join(dir, "revoked"), nil, 0o600) }
		if _, err := Main(os.Stdin, revoke); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	case "agent":
		var will Will
		if err := json.Unmarshal([]byte(os.Getenv("GUARD_TEST_WILL")), &will); err != nil {
			os.Exit(1)
		}
		if _, err := Start(guardCommand, will, slog.New(slog.DiscardHandler)); err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString("up\n")
		select {} // until killed
	}
	os.Exit(m.Run())
}

// loopback is the way to the other hosts of these tests.
var loopback = Way{Local: netip.MustParseAddrPort("127.0.0.1:0")}

func guardCommand() *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GUARD_TEST_ROLE=guard")
	return cmd
}

// listen opens a socket that stands for another host.
func listen(t *testing.T) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// heard counts the datagrams that arrive until none came for a while.
func heard(t *testing.T, conn *net.UDPConn, patience time.Duration) [][]byte {
	t.Helper()
	var got [][]byte
	for buf := make([]byte, 2048); ; {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, bytes.Clone(buf[:n]))
	}
}

func TestKilledAgentIsAnnouncedAfterItsLeaseIsTaken(t *testing.T) {
	peer, address := listen(t)
	dir := t.TempDir()
	will, err := json.Marshal(Will{PinDir: dir, Farewells: []Farewell{{Way: loopback, To: address, Datagram: []byte("sealed")}}})
	if err != nil {
		t.Fatal(err)
	}
	agent := exec.Command(os.Args[0])
	agent.Env = append(os.Environ(), "GUARD_TEST_ROLE=agent", "GUARD_TEST_WILL="+string(will))
	out, err := agent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if early := heard(t, peer, 50*time.Millisecond); len(early) > 0 {
		t.Fatalf("farewell before the agent died: %q", early)
	}
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = agent.Wait()
	got := heard(t, peer, 2*time.Second)
	if len(got) != len(repeats) || string(got[0]) != "sealed" {
		t.Errorf("heard %q, want %d times the sealed farewell", got, len(repeats))
	}
	if _, err := os.Stat(filepath.Join(dir, "revoked")); err != nil {
		t.Errorf("lease was not taken away: %v", err)
	}
}

func TestDismissedGuardSaysNothing(t *testing.T) {
	peer, address := listen(t)
	dir := t.TempDir()
	p, err := Start(guardCommand, Will{PinDir: dir, Farewells: []Farewell{{Way: loopback, To: address, Datagram: []byte("sealed")}}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.Dismiss()
	if got := heard(t, peer, 100*time.Millisecond); len(got) > 0 {
		t.Errorf("heard %q after a dismissal", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "revoked")); err == nil {
		t.Error("lease was taken away after a dismissal")
	}
}

func TestGuardThatDiesIsStartedAgain(t *testing.T) {
	_, address := listen(t)
	p, err := Start(guardCommand, Will{PinDir: t.TempDir(), Farewells: []Farewell{{Way: loopback, To: address}}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Dismiss()
	first := p.PID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); p.PID() == first; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no new guard after 10 s")
		}
	}
}

func TestFailedRevocationSendsNoFarewell(t *testing.T) {
	peer, address := listen(t)
	failure := errors.New("no such map")
	err := execute(Will{Farewells: []Farewell{{Way: loopback, To: address, Datagram: []byte("x")}}},
		func(string) error { return failure })
	if !errors.Is(err, failure) {
		t.Errorf("error %v, want %v", err, failure)
	}
	if got := heard(t, peer, 50*time.Millisecond); len(got) > 0 {
		t.Errorf("heard %q: the others would take over while this kernel accepts", got)
	}
}

func TestWait(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		died     bool
		err      error
	}{
		{"nothing said", "", false, ErrNoWill},
		{"garbage", "\x00\xff", false, ErrNoWill},
		{"pipe ends", `{"Will":{}}`, true, nil},
		{"dismissed", `{"Will":{}}{"Dismiss":"dismissed"}`, false, nil},
		{"garbage after the will", `{"Will":{}}{"Dismiss":"other"}`, true, nil},
		{"another will", `{"Will":{}}{"Will":{"PinDir":"x"}}`, true, nil},
		{"another will, dismissed", `{"Will":{}}{"Will":{}}{"Dismiss":"dismissed"}`, false, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, died, err := wait(bytes.NewReader([]byte(tc.in)))
			if died != tc.died || !errors.Is(err, tc.err) {
				t.Errorf("died %v, error %v; want %v, %v", died, err, tc.died, tc.err)
			}
		})
	}
}

func TestTheLastWillCounts(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"one", `{"Will":{"PinDir":"1"}}`, "1"},
		{"three", `{"Will":{"PinDir":"1"}}{"Will":{"PinDir":"2"}}{"Will":{"PinDir":"3"}}`, "3"},
		{"the last is cut short", `{"Will":{"PinDir":"1"}}{"Will":{"PinDir":"2"`, "1"},
		{"as many as there may be", strings.Repeat(`{"Will":{"PinDir":"`+strings.Repeat("x", 1000)+`"}}`, 1000) + `{"Will":{"PinDir":"last"}}`, "last"},
		{"one that is too long", `{"Will":{"PinDir":"1"}}{"Will":{"PinDir":"` + strings.Repeat("x", 2*maxMessage) + `"}}`, "1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if will, died, err := wait(strings.NewReader(tc.in)); err != nil || !died || will.PinDir != tc.want {
				t.Errorf("will %.20q, died %v, error %v; want %q", will.PinDir, died, err, tc.want)
			}
		})
	}
}

func TestReplacedWillIsCarriedOut(t *testing.T) {
	first, firstAddress := listen(t)
	second, secondAddress := listen(t)
	dir := t.TempDir()
	p, err := Start(guardCommand, Will{PinDir: dir, Farewells: []Farewell{{Way: loopback, To: firstAddress, Datagram: []byte("old")}}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	next := Will{PinDir: dir, Farewells: []Farewell{{Way: Way{Local: loopback.Local, Device: "none"}, To: firstAddress, Datagram: []byte("lost")},
		{Way: loopback, To: secondAddress, Datagram: []byte("new")}}}
	for range 2 { // the second changes nothing
		if err := p.Replace(next); err != nil {
			t.Fatal(err)
		}
	}
	p.mu.Lock()
	p.pipe.Close() // as if the agent had died
	p.mu.Unlock()
	if got := heard(t, second, time.Second); len(got) != len(repeats) || string(got[0]) != "new" {
		t.Errorf("heard %q, want the new farewell %d times although another way is gone", got, len(repeats))
	}
	if got := heard(t, first, 10*time.Millisecond); len(got) > 0 {
		t.Errorf("heard %q of the old will", got)
	}
	p.Dismiss()
}

// TestFrozenGuardIsReplaced: a guard that does not read keeps nobody waiting, and its successor has the new will.
func TestFrozenGuardIsReplaced(t *testing.T) {
	peer, address := listen(t)
	p, err := Start(guardCommand, Will{PinDir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	frozen := p.PID()
	if err := syscall.Kill(frozen, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	full := Will{PinDir: t.TempDir(), Farewells: []Farewell{{Way: loopback, To: address, Datagram: make([]byte, 200<<10)}}} // more than a pipe holds
	if err := p.Replace(full); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("error %v, want that of a deadline", err)
	}
	for deadline := time.Now().Add(10 * time.Second); p.PID() == frozen; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no new guard after 10 s")
		}
	}
	if got := heard(t, peer, 50*time.Millisecond); len(got) > 0 {
		t.Error("a farewell was sent for an agent that lives")
	}
	p.Dismiss()
}
