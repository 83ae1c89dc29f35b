// Package page is what people look at: pages of HTML that work as links and forms, and a small script that keeps them live. See docs/page.md.
//
// It has no rights of its own. What it shows it asks of the archive's JSON API, and what somebody does it asks of the API server, each with
// the token of whoever looks. So there is one place that decides who may see what: package web.
package page

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/lru"

	"github.com/testrun-dev/testrun/internal/archive"
)

// Options are what the pages need.
type Options struct {
	// API is the archive's JSON API.
	API http.Handler
	// Config reaches the API server. Its credentials are not used.
	Config *rest.Config
	// Audit keeps what people do in the cluster by the pages. What they do by the API, that keeps itself.
	Audit func(context.Context, archive.AuditEntry) error
	// Key seals sessions: 32 bytes, the same for all replicas.
	Key []byte
	// SessionTime is how long a session lasts at most.
	SessionTime time.Duration
	// Ended remembers sessions that have ended before their time.
	Ended EndedSessions
	Log   *slog.Logger
}

// New returns the pages. They answer every path but those of the API.
func New(options Options) (http.Handler, error) {
	sessions, err := newSessions(options.Key, options.SessionTime, options.Ended)
	if err != nil {
		return nil, err
	}
	views, err := parseViews()
	if err != nil {
		return nil, err
	}
	kube, err := newKube(options.Config)
	if err != nil {
		return nil, err
	}
	s := &server{api: api{options.API}, kube: kube, audit: options.Audit, sessions: sessions, views: views, log: options.Log, drawn: lru.New(maxDrawn)}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s.handler(), nil
}

type server struct {
	api      api
	kube     *kube
	audit    func(context.Context, archive.AuditEntry) error
	sessions *sessions
	views    *views
	log      *slog.Logger
	// drawn are rows, by the event that they are drawn for.
	drawn *lru.Cache
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.HandlerFunc(serveStatic))
	mux.Handle("GET /login", s.open((*visit).showLogin))
	mux.Handle("POST /login", s.open((*visit).login))
	mux.Handle("POST /logout", s.open((*visit).logout))
	mux.Handle("GET /{$}", s.known((*visit).runs))
	mux.Handle("GET /live", s.known((*visit).live))
	mux.Handle("GET /runs/{uid}", s.known((*visit).run))
	mux.Handle("GET /runs/{uid}/artifact", s.known((*visit).artifact))
	mux.Handle("GET /runs/{uid}/compare", s.known((*visit).compare))
	mux.Handle("GET /runs/{uid}/output", s.known((*visit).output))
	mux.Handle("GET /runs/{uid}/output/raw", s.known((*visit).rawOutput))
	mux.Handle("GET /namespaces/{namespace}/runs/{name}", s.known((*visit).runNamed))
	mux.Handle("POST /runs", s.known((*visit).actOnSeveral))
	mux.Handle("POST /runs/{uid}/{action}", s.known((*visit).actOnOne))
	mux.Handle("/", s.known(func(*visit) error { return errNoPage }))
	return secured(http.NewCrossOriginProtection().Handler(mux))
}

// secured sets what keeps a browser from doing anything with a page but showing it.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Strict-Transport-Security", "max-age=31536000")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// visit is one request of somebody.
type visit struct {
	*server
	w http.ResponseWriter
	r *http.Request
	// session is empty for who has not logged in.
	session session
	// namespaces are those of which they may see runs.
	namespaces namespaces
}

// open serves a page that needs no session.
func (s *server) open(serve func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{server: s, w: w, r: r}
		var err error
		if v.session, err = s.sessions.of(r); errors.Is(err, errNoSession) {
			v.session, err = session{}, nil
		}
		if err == nil {
			err = serve(v)
		}
		if err != nil {
			v.fail(err) //nolint:contextcheck // it is that of the visit
		}
	})
}

// known serves a page to who has logged in. Others log in first.
func (s *server) known(serve func(*visit) error) http.Handler {
	return s.open(func(v *visit) error {
		if v.session.Token == "" {
			v.toLogin("")
			return nil
		}
		err := serve(v)
		var refused *apiError
		if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
			setCookie(v.w, cookieName, "", time.Unix(1, 0)) // its token is worth nothing any more
			v.toLogin("ended")
			return nil
		}
		return err
	})
}
