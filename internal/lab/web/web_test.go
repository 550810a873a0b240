package web

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHandler(t *testing.T) {
	tests := []struct {
		path   string
		status int
		body   string
	}{
		{"/", http.StatusOK, "b\n"},
		{"/slow?ms=0", http.StatusOK, "b\n"},
		{"/slow?ms=20", http.StatusOK, "b\n"},
		{"/slow", http.StatusBadRequest, ""},
		{"/slow?ms=-1", http.StatusBadRequest, ""},
		{"/slow?ms=60001", http.StatusBadRequest, ""},
		{"/slow?ms=soon", http.StatusBadRequest, ""},
		{"/other", http.StatusNotFound, ""},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			answer := httptest.NewRecorder()
			Handler("b").ServeHTTP(answer, httptest.NewRequest("GET", tt.path, nil))
			if answer.Code != tt.status || tt.body != "" && answer.Body.String() != tt.body {
				t.Errorf("got %d %q", answer.Code, answer.Body)
			}
		})
	}
}

// freeAddress is one on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// dial connects as soon as somebody listens.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	var err error
	for range 500 {
		var conn net.Conn
		if conn, err = net.Dial("tcp", address); err == nil {
			t.Cleanup(func() { conn.Close() })
			return conn
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatal(err)
	return nil
}

// start runs the servers until stop, which returns what Run did.
func start(t *testing.T, o Options) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	return func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(5 * time.Second):
			t.Fatal("it does not end")
			return nil
		}
	}
}

func TestEchoSaysItsNameAndRepeatsEveryByte(t *testing.T) {
	address := freeAddress(t)
	stop := start(t, Options{Name: "c", Echo: address})
	conn := dial(t, address)
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); err != nil || line != "c\n" {
		t.Fatalf("greeting %q, %v", line, err)
	}
	sent := bytes.Repeat([]byte{0, 1, 254, 255, '\n'}, 20_000)
	go func() { _, _ = conn.Write(sent) }() // the reader below fails if it does
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(reader, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("not what was sent: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := reader.ReadByte(); err == nil {
		t.Error("the connection outlives the server")
	}
}

func TestEchoCorruptsWhenAsked(t *testing.T) {
	var out bytes.Buffer
	echo(struct {
		io.Reader
		io.Writer
	}{io.MultiReader(strings.NewReader("one"), strings.NewReader("two")), &out}, "a", 2)
	if got := out.String(); got != "a\nonetwn" {
		t.Errorf("got %q", got)
	}
}

func TestRunServesBothUntilItsContextEnds(t *testing.T) {
	site, echo := freeAddress(t), freeAddress(t)
	stop := start(t, Options{Name: "a", Listen: site, Echo: echo})
	dial(t, echo)
	dial(t, site)
	answer, err := http.Get("http://" + site + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "a\n" {
		t.Errorf("got %q, %v", body, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", site); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

func TestRunFailsAtOnceWhenItCannotServe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := map[string]Options{
		"nothing to do":       {Name: "a"},
		"HTTP port taken":     {Listen: taken.Addr().String()},
		"echo port taken":     {Echo: taken.Addr().String()},
		"one of two is taken": {Listen: freeAddress(t), Echo: taken.Addr().String()},
	}
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			if err := Run(t.Context(), o); err == nil {
				t.Error("it ran")
			}
		})
	}
}
