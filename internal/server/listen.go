package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/testrun-dev/testrun/internal/archive"
)

const (
	// maxConnections is how many connections a listener has at the same time. It is more than what the API answers at once, with all who
	// follow output and listen to events.
	maxConnections = 1024
	// stopTime is how long what is under way may take when the server stops. It is shorter than the grace period of the pod.
	stopTime = 20 * time.Second
	// followTime is how long answers go on that have no end of their own.
	followTime = 5 * time.Second
)

// listener is an HTTP server with its address.
type listener struct {
	name   string
	tcp    net.Listener
	server *http.Server
	// endAnswers ends the contexts of the requests.
	endAnswers context.CancelFunc
}

// listen begins to listen. keys is nil for plain HTTP.
func listen(ctx context.Context, name, address string, handler http.Handler, keys *keys, log *slog.Logger) (*listener, error) {
	inner, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", name, err)
	}
	inner = newCrowd(inner, maxConnections)
	if keys != nil {
		inner = tls.NewListener(inner, &tls.Config{
			MinVersion: tls.VersionTLS12, GetCertificate: keys.certificate,
			// HTTP/2 has let clients exhaust servers (rapid reset), and nobody here needs what it offers.
			NextProtos: []string{"http/1.1"},
		})
	}
	requests, end := context.WithCancel(context.WithoutCancel(ctx))
	return &listener{name: name, tcp: inner, endAnswers: end, server: &http.Server{
		Handler: answered(handler), ConnContext: withGuest, BaseContext: func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(log.With("listener", name).Handler(), slog.LevelDebug),
	}}, nil
}

func (l *listener) serve() error {
	if err := l.server.Serve(l.tcp); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving %s: %w", l.name, err)
	}
	return nil
}

// stop takes no new requests, and waits for those that are under way.
func (l *listener) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	end := time.AfterFunc(followTime, l.endAnswers)
	defer end.Stop()
	if l.server.Shutdown(ctx) != nil {
		_ = l.server.Close()
	}
	l.endAnswers()
}

// health answers how the server is. Alive means that it answers, ready that its database does, too. If that can only be read, the server is
// ready: what is kept can be asked for.
func health(store *archive.Store, registry prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := store.Ping(ctx); err != nil {
			http.Error(w, "the database does not answer: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	return mux
}
