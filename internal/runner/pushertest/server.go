// Package pushertest is a server for the tests of the runner. It keeps what is pushed in memory, holds the runner to the protocol, and
// misbehaves as a test wants it to.
package pushertest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/testrun-dev/testrun/internal/push"
)

// Token is what the server takes at first.
const Token = "the-first-token"

// Server keeps what is pushed.
type Server struct {
	*httptest.Server
	// Pin is that of its key. TokenFile holds a token that it takes.
	Pin, TokenFile string
	// First, if set, sees each request first, with its number from 1 on. It returns true if it has answered, or broken off.
	First func(n int, w http.ResponseWriter, r *http.Request) bool

	t        testing.TB
	mu       sync.Mutex
	requests int
	tokens   map[string]bool
	streams  map[push.Stream][]piece
	progress []push.Progress
	end      *push.End
}

// piece is a chunk that was pushed.
type piece struct {
	offset  int64
	content []byte
}

// New starts a server with a key of its own. It is stopped when the test has ended.
func New(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{t: tb, tokens: map[string]bool{Token: true}, streams: map[push.Stream][]piece{}}
	s.TokenFile = filepath.Join(tb.TempDir(), "token")
	s.SetToken(Token)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	certificate, pin := newKey(tb)
	s.Pin = pin
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // a runner that hangs up is no error
	s.StartTLS()
	tb.Cleanup(s.Close)
	return s
}

// SetToken writes the token's file, as the kubelet does: another file takes its place.
func (s *Server) SetToken(token string) {
	s.t.Helper()
	if err := os.WriteFile(s.TokenFile+".new", []byte(token+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(s.TokenFile+".new", s.TokenFile); err != nil {
		s.t.Fatal(err)
	}
}

// TakeOnly takes that token and no other from now on.
func (s *Server) TakeOnly(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = map[string]bool{token: true}
}

// Requests is how many there were.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	n := s.requests
	s.mu.Unlock()
	if s.First != nil && s.First(n, w, r) {
		return
	}
	if code, err := s.take(r); err != nil {
		Refuse(w, code, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Refuse answers with a code and a reason.
func Refuse(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(push.Refusal{Error: reason}) // the client may be gone
}

// BreakOff reads so many bytes of the request, and resets the connection.
func BreakOff(w http.ResponseWriter, r *http.Request, after int64) {
	_, _ = io.CopyN(io.Discard, r.Body, after) // there may be less
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*tls.Conn).NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // then Close resets it
		_ = tcp.Close()
	}
}

// Take keeps what a request brings, and does not answer.
func (s *Server) Take(r *http.Request) { _, _ = s.take(r) }

// take keeps what a request brings. Whatever a runner should not do fails the test.
func (s *Server) take(r *http.Request) (code int, err error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return http.StatusBadRequest, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !s.tokens[token] {
		return http.StatusUnauthorized, fmt.Errorf("the token %q is not valid", token)
	}
	target, err := push.ParseTarget(r.URL)
	switch {
	case err != nil:
	case r.Method != http.MethodPut:
		err = fmt.Errorf("the method is %s", r.Method)
	case target.Progress:
		told := push.Progress{}
		err = json.Unmarshal(body, &told)
		s.progress = append(s.progress, told)
	case target.End:
		s.end = &push.End{}
		err = json.Unmarshal(body, s.end)
	default:
		err = s.chunk(target, body)
	}
	if err != nil {
		s.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	return http.StatusBadRequest, err
}

// chunk keeps a chunk. A repeated one has to be the same.
func (s *Server) chunk(target push.Target, body []byte) error {
	packed := bytes.NewReader(body)
	in, err := gzip.NewReader(packed)
	if err != nil {
		return err
	}
	in.Multistream(false)
	content, err := io.ReadAll(in)
	switch {
	case err != nil:
		return err
	case packed.Len() > 0:
		return fmt.Errorf("%d bytes follow the gzip member", packed.Len())
	case int64(len(content)) != target.Length:
		return fmt.Errorf("it has %d bytes", len(content))
	case target.Stream.Kind == push.Cases && content[len(content)-1] != '\n':
		return fmt.Errorf("it ends inside a line: %.100q", content[max(0, len(content)-100):])
	}
	for _, known := range s.streams[*target.Stream] {
		if known.offset == target.Offset {
			if !bytes.Equal(known.content, content) {
				return fmt.Errorf("the chunk comes again, and is another: it had %d bytes", len(known.content))
			}
			return nil
		}
	}
	s.streams[*target.Stream] = append(s.streams[*target.Stream], piece{target.Offset, content})
	return nil
}

// Progress is what was told, one after another.
func (s *Server) Progress() []push.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.progress)
}

// End is the last message; nil if there was none.
func (s *Server) End() *push.End {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

// Stream returns what was pushed of a stream, with zeros for what was not, and what was not.
func (s *Server) Stream(kind push.Kind, path string) (content []byte, gaps []push.Gap) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	pieces := slices.Clone(s.streams[push.Stream{Kind: kind, Path: path}])
	slices.SortFunc(pieces, func(a, b piece) int { return cmp.Compare(a.offset, b.offset) })
	for _, p := range pieces {
		if missing := p.offset - int64(len(content)); missing < 0 {
			s.t.Fatalf("the chunks of %s %s overlap at %d", kind, path, p.offset)
		} else if missing > 0 {
			gaps = append(gaps, push.Gap{Offset: int64(len(content)), Length: missing})
			content = append(content, make([]byte, missing)...)
		}
		content = append(content, p.content...)
	}
	return content, gaps
}

// Taken is how many bytes of a stream were pushed.
func (s *Server) Taken(kind push.Kind) (taken int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.streams[push.Stream{Kind: kind}] {
		taken += len(p.content)
	}
	return taken
}

// Forget forgets what was pushed.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams, s.progress, s.end = map[push.Stream][]piece{}, nil, nil
}

// Artifacts are the paths of the artifacts, in order.
func (s *Server) Artifacts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var paths []string
	for stream := range s.streams {
		if stream.Kind == push.Artifact {
			paths = append(paths, stream.Path)
		}
	}
	slices.Sort(paths)
	return paths
}

// Cases are the cases that were pushed, as later lines replace earlier ones, in the order of their numbers.
func (s *Server) Cases() []push.Case {
	s.t.Helper()
	content, _ := s.Stream(push.Cases, "")
	last := map[int64]push.Case{}
	for line := range bytes.Lines(bytes.ReplaceAll(content, []byte{0}, nil)) {
		var c push.Case
		if err := json.Unmarshal(line, &c); err != nil || c.Number < 1 {
			s.t.Fatalf("%q is no case: %v", line, err)
		}
		last[c.Number] = c
	}
	var cases []push.Case
	for _, c := range last {
		if c.Outcome != "" {
			cases = append(cases, c)
		}
	}
	slices.SortFunc(cases, func(a, b push.Case) int { return cmp.Compare(a.Number, b.Number) })
	return cases
}

// ExpectWhole holds what was pushed against the last message: what is missing is in a gap, and the hash is right if nothing is. It returns how
// many bytes are missing.
func (s *Server) ExpectWhole() (missing int64) {
	s.t.Helper()
	end := s.End()
	if end == nil {
		s.t.Error("there was no last message")
		return 0
	}
	for _, stream := range end.Streams {
		content, gaps := s.Stream(stream.Kind, stream.Path)
		if rest := stream.Length - int64(len(content)); rest > 0 {
			gaps = append(gaps, push.Gap{Offset: int64(len(content)), Length: rest})
		}
		for _, gap := range gaps {
			missing += gap.Length
			if !slices.ContainsFunc(stream.Gaps, func(told push.Gap) bool {
				return told.Offset <= gap.Offset && gap.Offset+gap.Length <= told.Offset+told.Length
			}) {
				s.t.Errorf("%s %s lacks %v, and says %v", stream.Kind, stream.Path, gap, stream.Gaps)
			}
		}
		if sum := sha256.Sum256(content); len(gaps) == 0 && hex.EncodeToString(sum[:]) != stream.SHA256 {
			s.t.Errorf("%s %s has another hash than it says", stream.Kind, stream.Path)
		}
	}
	return missing
}
