package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	maxSlow       = time.Minute
	headerTimeout = 10 * time.Second
	idleTimeout   = time.Minute
	echoBuffer    = 16 << 10
)

// Options says what to serve. An empty address serves nothing.
type Options struct {
	Name   string // of the host, in every answer
	Listen string // HTTP
	Echo   string // echo over TCP

	// Corrupt flips a bit of every Corrupt-th block that the echo server sends back; 0: none. It proves that a load
	// notices.
	Corrupt int
}

// Run serves until the context ends or something fails.
func Run(ctx context.Context, o Options) error {
	if o.Listen == "" && o.Echo == "" {
		return errors.New("serve: give an address to listen on")
	}
	group, ctx := errgroup.WithContext(ctx)
	if o.Listen != "" {
		group.Go(func() error { return serveHTTP(ctx, o) })
	}
	if o.Echo != "" {
		group.Go(func() error { return serveEcho(ctx, o) })
	}
	return group.Wait()
}

func serveHTTP(ctx context.Context, o Options) error {
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	server := &http.Server{Handler: Handler(o.Name), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// Handler is the HTTP side.
func Handler(name string) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, name)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { answer(w) })
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
		wait := time.Duration(ms) * time.Millisecond
		if err != nil || ms < 0 || wait > maxSlow {
			http.Error(w, "ms: give milliseconds from 0 to 60000", http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(wait):
			answer(w)
		case <-r.Context().Done():
		}
	})
	return mux
}

func serveEcho(ctx context.Context, o Options) error {
	listener, err := net.Listen("tcp", o.Echo)
	if err != nil {
		return fmt.Errorf("serve echo: %w", err)
	}
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("serve echo: %w", err)
		}
		open.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			echo(conn, o.Name, o.Corrupt)
		})
	}
}

// echo says its name and then repeats what it hears until the other side is done or gone.
func echo(conn io.ReadWriter, name string, corrupt int) {
	if _, err := fmt.Fprintln(conn, name); err != nil {
		return
	}
	buffer := make([]byte, echoBuffer)
	for blocks := 1; ; blocks++ {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if corrupt > 0 && blocks%corrupt == 0 {
			buffer[n-1] ^= 1
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}
