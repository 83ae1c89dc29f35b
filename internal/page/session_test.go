package page

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func sessionsFor(t *testing.T) *sessions {
	t.Helper()
	s, err := newSessions(NewKey(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// withCookie is a request with the cookie that an answer has set.
func withCookie(answer *httptest.ResponseRecorder) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
	for _, cookie := range answer.Result().Cookies() {
		r.AddCookie(cookie)
	}
	return r
}

func TestASessionIsKnownUntilItEnds(t *testing.T) {
	s := sessionsFor(t)
	answer := httptest.NewRecorder()
	if err := s.begin(answer, "token", "ada"); err != nil {
		t.Fatal(err)
	}
	r := withCookie(answer)
	if found, err := s.of(r); err != nil || found.Token != "token" || found.User != "ada" {
		t.Errorf("it is %+v, %v", found, err)
	}
	s.now = func() time.Time { return time.Now().Add(time.Hour) }
	if found, err := s.of(r); err == nil {
		t.Errorf("after its end it is %+v", found)
	}
}

func TestACookieThatTheServerHasNotMadeIsNoSession(t *testing.T) {
	s := sessionsFor(t)
	answer := httptest.NewRecorder()
	if err := s.begin(answer, "token", "ada"); err != nil {
		t.Fatal(err)
	}
	r := withCookie(answer)
	if _, err := sessionsFor(t).of(r); err == nil {
		t.Error("a server with another key takes it")
	}
	cookie, _ := r.Cookie(cookieName)
	for i := range cookie.Value {
		changed := cookie.Value[:i] + string(cookie.Value[i]^1) + cookie.Value[i+1:]
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: changed})
		if found, err := s.of(r); err == nil {
			t.Errorf("changed at %d, it is %+v", i, found)
		}
	}
}

func TestATokenThatIsTooLongIsRefusedInASentence(t *testing.T) {
	err := sessionsFor(t).begin(httptest.NewRecorder(), strings.Repeat("x", maxCookie), "ada")
	if err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("it is %v", err)
	}
}

func TestOnlyPathsOfThisServerAreGoneToAfterLoggingIn(t *testing.T) {
	for path, want := range map[string]string{
		"": "/", "/runs/1?a=b": "/runs/1?a=b", "https://evil.example/": "/", "//evil.example/": "/", `/\evil.example/`: "/",
		"/\t/evil.example": "/", "javascript:alert(1)": "/", "runs": "/", "/%2f/evil.example": "/%2f/evil.example",
	} {
		if got := localPath(path); got != want {
			t.Errorf("%q leads to %q, not %q", path, got, want)
		}
	}
}
