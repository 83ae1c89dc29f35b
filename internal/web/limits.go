package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// What is answered at once, and for how long.
const (
	maxRequests       = 256
	maxRequestsOfUser = 64
	maxStreams        = 128
	maxStreamsOfUser  = 32

	// requestTimeout is for an answer in one piece, writeTimeout for the next bytes of one that is streamed.
	requestTimeout = 20 * time.Second
	writeTimeout   = 30 * time.Second
)

// SetLimits sets what a server that answers with this API has to have: how long requests may take to arrive, and how large their headers
// may be. Answers have limits of their own.
func SetLimits(server *http.Server) {
	server.ReadHeaderTimeout = 10 * time.Second
	server.ReadTimeout = 30 * time.Second
	server.IdleTimeout = 2 * time.Minute
	server.MaxHeaderBytes = 32 << 10
}

// Gate bounds how many pass it at once, in all and of each user.
type Gate struct {
	max, maxOfUser int

	mutex  sync.Mutex
	all    int
	ofUser map[string]int
}

// NewGate is a gate for so many in all, and of each user.
func NewGate(limit, limitOfUser int) *Gate {
	return &Gate{max: limit, maxOfUser: limitOfUser, ofUser: map[string]int{}}
}

// Enter says whether there is room; leave has to be called then.
func (g *Gate) Enter(who string) (leave func(), ok bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.all >= g.max || g.ofUser[who] >= g.maxOfUser {
		return nil, false
	}
	g.all++
	g.ofUser[who]++
	return func() {
		g.mutex.Lock()
		defer g.mutex.Unlock()
		g.all--
		g.ofUser[who]--
		if g.ofUser[who] == 0 {
			delete(g.ofUser, who)
		}
	}, true
}

const tooMany = "Too many requests are answered at once. Try again in a second."

// limited bounds how many requests are answered at once, and for how long each.
func (s *server) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave, ok := s.requests.Enter(userOf(r.Context()).Username)
		if !ok {
			unavailable(w, tooMany)
			return
		}
		leave = sync.OnceFunc(leave)
		defer leave()
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(requestTimeout + writeTimeout))
		ctx = context.WithValue(ctx, leaveKey{}, leave)
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, wholeKey{}, r.Context())))
	})
}

// leaveKey finds what ends that a request counts as one that is answered at once.
type leaveKey struct{}

// leaveRequests says that the answer has a limit of its own.
func leaveRequests(ctx context.Context) {
	if leave, ok := ctx.Value(leaveKey{}).(func()); ok {
		leave()
	}
}

// wholeKey finds the context of a request without the limit of time.
type wholeKey struct{}

// guarded sets the headers that keep a browser from making anything else of an answer than what it is.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

func unavailable(w http.ResponseWriter, detail string) {
	w.Header().Set("Retry-After", "1")
	writeProblem(w, http.StatusServiceUnavailable, detail)
}

// writeProblem answers with a sentence that says what is wrong and what to do.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = huma.DefaultJSONFormat.Marshal(w, &huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail})
}
