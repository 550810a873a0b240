package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"syscall"
	"time"
)

// What a Client returns, wrapped, when there is nobody to ask.
var (
	ErrNoAgent = errors.New("no agent answers")
	ErrDied    = errors.New("the agent ended without putting the host back")
)

const (
	maxAnswerBytes = 16 << 20
	pollInterval   = 20 * time.Millisecond
	pollsPerKnock  = 10 // a knock takes a place in the queue of an agent that is busy leaving
)

// Error is an agent's refusal.
type Error struct {
	Status int    // HTTP status
	Detail string // what is wrong and what to do, for the user
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// Unwrap makes the sentinels of Agent visible through the socket.
func (e *Error) Unwrap() error {
	switch e.Status {
	case http.StatusNotFound:
		return ErrUnknown
	case http.StatusUnprocessableEntity:
		return ErrInvalid
	case http.StatusConflict:
		return ErrConflict
	}
	return nil
}

// Client talks to the agent of a run directory.
type Client struct {
	runDir string
	http   *http.Client
}

// New returns a client; it connects with the first request.
func New(runDir string) *Client {
	transport := &http.Transport{
		MaxIdleConns: 2,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", SocketPath(runDir))
		},
	}
	return &Client{runDir: runDir, http: &http.Client{Transport: transport}}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks how the cluster looks from the agent's host.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return fetch[Status](ctx, c, "/v1/status", nil)
}

// Explain asks which host gets a client, and why.
func (c *Client) Explain(ctx context.Context, r ExplainRequest) (Explanation, error) {
	query := url.Values{"vip": {r.VIP}, "client": {r.Client.String()}}
	if r.Port != 0 {
		query.Set("port", strconv.Itoa(int(r.Port)))
	}
	if r.VIPPort != 0 {
		query.Set("vip_port", strconv.Itoa(int(r.VIPPort)))
	}
	if r.Protocol != "" {
		query.Set("protocol", r.Protocol)
	}
	return fetch[Explanation](ctx, c, "/v1/explain", query)
}

// Events asks for the events after the one with that ID; 0: all that are kept.
func (c *Client) Events(ctx context.Context, since uint64) (EventPage, error) {
	return fetch[EventPage](ctx, c, "/v1/events", url.Values{"since": {strconv.FormatUint(since, 10)}})
}

// Reload makes the agent read its configuration file again.
func (c *Client) Reload(ctx context.Context) error { return c.order(ctx, "/v1/reload", nil) }

// Stop tells the agent to leave.
func (c *Client) Stop(ctx context.Context, r StopRequest) error {
	return c.order(ctx, "/v1/stop", deadline{r.Deadline.Milliseconds()})
}

// StopAndWait tells the agent to leave and waits until it has put the host back and gone. It returns ErrDied, wrapped,
// if the agent ended before it got that far.
func (c *Client) StopAndWait(ctx context.Context, r StopRequest) error {
	socket, statErr := os.Stat(SocketPath(c.runDir))
	if err := c.Stop(ctx, r); isHangUp(err) {
		return fmt.Errorf("%w: %w", ErrDied, err)
	} else if err != nil {
		return err
	}
	if statErr != nil {
		return fmt.Errorf("look at control socket: %w", statErr)
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for polls := 1; ; polls++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the agent to leave: %w", ctx.Err())
		}
		now, err := os.Stat(SocketPath(c.runDir))
		// The modification time too: a new socket may get the number of the old one's inode.
		if err != nil || !os.SameFile(now, socket) || !now.ModTime().Equal(socket.ModTime()) {
			return nil // gone, or another agent has started meanwhile
		}
		if polls%pollsPerKnock == 0 && refuses(SocketPath(c.runDir)) {
			return fmt.Errorf("%w: start it again and stop it, or see its log", ErrDied)
		}
	}
}

// isHangUp says whether the other side ended in the middle of a request: it was being killed.
func isHangUp(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)
}

// refuses says whether a socket is left over from a process that has ended.
func refuses(path string) bool {
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

func fetch[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var out T
	response, err := c.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil, "application/json")
	if err != nil {
		return out, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswerBytes)).Decode(&out); err != nil {
		return out, fmt.Errorf("read agent's answer: %w", err)
	}
	return out, nil
}

func (c *Client) order(ctx context.Context, path string, body any) error {
	var encoded []byte
	if body != nil {
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
	}
	response, err := c.do(ctx, http.MethodPost, path, encoded, "application/json")
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// do sends a request and returns the answer if it is a good one.
func (c *Client) do(ctx context.Context, method, path string, body []byte, accept string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://muster"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Accept", accept)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if response.StatusCode >= 300 {
		defer response.Body.Close()
		return nil, refusal(response)
	}
	return response, nil
}

func (c *Client) unreachable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w on %s: start it with `muster run -c FILE`, or name its directory with --run-dir", ErrNoAgent, SocketPath(c.runDir))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w on %s: permission denied: run this as root", ErrNoAgent, SocketPath(c.runDir))
	}
	return fmt.Errorf("ask agent on %s: %w", SocketPath(c.runDir), err)
}

func refusal(response *http.Response) error {
	var model struct {
		Title, Detail string
		Errors        []struct{ Message, Location string }
	}
	err := json.NewDecoder(io.LimitReader(response.Body, maxAnswerBytes)).Decode(&model)
	if err != nil || model.Title == "" && model.Detail == "" {
		return &Error{Status: response.StatusCode, Detail: "the agent answered " + response.Status}
	}
	detail := model.Detail
	if detail == "" {
		detail = model.Title
	}
	for _, e := range model.Errors {
		detail += fmt.Sprintf("; %s: %s", e.Location, e.Message)
	}
	return &Error{Status: response.StatusCode, Detail: detail}
}
