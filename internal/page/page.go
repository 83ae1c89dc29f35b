// Package page is what people look at: pages of HTML that work as links and forms, and a small script that keeps them live. See docs/page.md.
//
// It has no rights of its own. What it shows it asks of the archive's JSON API, and what somebody does it asks of the API server, each with
// the token of whoever looks. So there is one place that decides who may see what: package web.
package page

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/lru"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/web"
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
	// URL is where browsers find the pages; nil if nobody has said.
	URL *url.URL
	// OIDC is a provider through which people log in.
	OIDC OIDC
	Log  *slog.Logger
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
	provider, err := newProvider(options.OIDC, options.URL)
	if err != nil {
		return nil, err
	}
	s := &server{
		api: api{options.API}, kube: kube, audit: options.Audit, sessions: sessions, provider: provider, url: options.URL, views: views, log: options.Log,
		drawn: lru.New(maxDrawn), pages: web.NewGate(maxPages, maxPagesOfUser),
	}
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
	// provider is that of logins; nil if there is none.
	provider *provider
	// url is where browsers find the pages; nil if nobody has said.
	url   *url.URL
	views *views
	log   *slog.Logger
	// pages bounds how many are made at once.
	pages *web.Gate
	// drawn are rows, by the event that they are drawn for.
	drawn *lru.Cache
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.HandlerFunc(serveStatic))
	mux.Handle("GET /login", s.open((*visit).showLogin))
	mux.Handle("GET /login/provider", s.open((*visit).toProvider))
	mux.Handle("GET "+callbackPath, s.open((*visit).fromProvider))
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
	mux.Handle("GET /queues", s.known((*visit).queues))
	mux.Handle("GET /queues/{name}", s.known((*visit).queue))
	mux.Handle("POST /queues/{name}/{action}", s.known((*visit).changeQueue))
	mux.Handle("POST /runs", s.known((*visit).actOnSeveral))
	mux.Handle("POST /runs/{uid}/{action}", s.known((*visit).actOnOne))
	mux.Handle("GET /tests", s.known((*visit).tests))
	mux.Handle("GET /namespaces/{namespace}/series/{series}", s.known((*visit).test))
	mux.Handle("POST /namespaces/{namespace}/series/{series}", s.known((*visit).runTest))
	mux.Handle("GET /namespaces/{namespace}/series/{series}/case", s.known((*visit).oneCase))
	mux.Handle("GET /flaky", s.known((*visit).flaky))
	mux.Handle("/", s.known(func(*visit) error { return errNoPage }))
	return secured(s.ofOneOrigin(mux))
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
	// leave says that the answer has a limit of its own, and is not one of the pages that are made at once.
	leave func()
}
