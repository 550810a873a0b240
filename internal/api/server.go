package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// The bounds of the server. Answers are small and local; these only keep a broken or hostile local client from hurting.
const (
	maxConnections = 128
	maxFollowers   = 32
	maxHeaderBytes = 16 << 10
	maxBodyBytes   = 4 << 10
	headerTimeout  = 5 * time.Second
	requestTimeout = 10 * time.Second // to read a request
	answerTimeout  = time.Minute      // to handle one and write the answer; event streams renew it with each event
	idleTimeout    = 2 * time.Minute
	closeTimeout   = 2 * time.Second
)

// Server is the control socket of an agent.
type Server struct {
	control *control
	log     *slog.Logger
	version string
}

// Listen claims a run directory for this agent and opens its control socket there. Clients that connect wait until
// Serve. It returns ErrInUse, wrapped, if another agent lives there.
func Listen(runDir, version string, log *slog.Logger) (*Server, error) {
	c, err := claim(runDir)
	if err != nil {
		return nil, err
	}
	return &Server{control: c, log: log, version: version}, nil
}

// Serve answers for the agent until the context ends, then lets answers that are under way finish for a moment. The
// socket stays in place, answering nobody, until Close.
func (s *Server) Serve(ctx context.Context, agent Agent) error {
	streams, endStreams := context.WithCancel(ctx)
	defer endStreams()
	server := &http.Server{
		Handler:           Handler(agent, s.version),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return streams },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(newBounded(keepOpen{s.control}, maxConnections)) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve control socket: %w", err)
	case <-ctx.Done():
	}
	return shutDown(server)
}

func shutDown(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("close control socket: %w", err), server.Close())
	}
	return nil
}

// Close removes the socket and frees the run directory. It is the agent's last act: `muster stop` waits for it.
func (s *Server) Close() error { return s.control.Close() }

// keepOpen leaves closing the listener to Server.Close, and only ends a waiting Accept.
type keepOpen struct{ *control }

func (k keepOpen) Close() error { return k.SetDeadline(time.Unix(1, 0)) }

// Handler is the API without a socket.
func Handler(agent Agent, version string) http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Muster", version)
	config.Info.Description = "What one host of a Muster cluster knows and can be told."
	config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", nil
	config.RejectUnknownQueryParameters = true
	register(humago.New(mux, config), agent)
	mux.Handle("GET "+MetricsPath, serveMetrics(agent))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		mux.ServeHTTP(w, r)
	})
}
