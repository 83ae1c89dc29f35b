package page

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func sessionsFor(t *testing.T) *sessions {
	t.Helper()
	return sessionsWith(t, NewKey(), &endedSessions{ids: map[string]bool{}})
}

func sessionsWith(t *testing.T, key []byte, ended EndedSessions) *sessions {
	t.Helper()
	s, err := newSessions(key, time.Hour, ended)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// endedSessions is what replicas share.
type endedSessions struct {
	ids   map[string]bool
	asked int
	fail  error
}

func (e *endedSessions) EndSession(_ context.Context, id string, _ time.Time) error {
	if e.fail == nil {
		e.ids[id] = true
	}
	return e.fail
}

func (e *endedSessions) SessionEnded(_ context.Context, id string) (bool, error) {
	e.asked++
	return e.ids[id], e.fail
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

func begun(t *testing.T, s *sessions, token string) *http.Request {
	t.Helper()
	answer := httptest.NewRecorder()
	if err := s.begin(answer, token, "ada"); err != nil {
		t.Fatal(err)
	}
	return withCookie(answer)
}

func TestACookieIsWorthNothingAfterALogout(t *testing.T) {
	shared, key := &endedSessions{ids: map[string]bool{}}, NewKey()
	one, other := sessionsWith(t, key, shared), sessionsWith(t, key, shared)
	kept, another := begun(t, one, "token"), begun(t, one, "token")
	found, err := other.of(kept)
	if err != nil || found.User != "ada" {
		t.Fatalf("another replica says %+v, %v", found, err)
	}
	if err := one.end(t.Context(), httptest.NewRecorder(), found); err != nil {
		t.Fatal(err)
	}
	for name, replica := range map[string]*sessions{"the replica": one, "a new one": sessionsWith(t, key, shared)} {
		if found, err := replica.of(kept); !errors.Is(err, errNoSession) {
			t.Errorf("%s takes the ended session: %+v, %v", name, found, err)
		}
		if _, err := replica.of(another); err != nil {
			t.Errorf("%s does not take another session of the same token: %v", name, err)
		}
	}
}

func TestALiveSessionAsksTheDatabaseSeldom(t *testing.T) {
	shared := &endedSessions{ids: map[string]bool{}}
	s := sessionsWith(t, NewKey(), shared)
	r := begun(t, s, "token")
	for range 100 {
		if _, err := s.of(r); err != nil {
			t.Fatal(err)
		}
	}
	if shared.asked > 10 {
		t.Errorf("100 requests have asked %d times", shared.asked)
	}
}

func TestASessionOfWhichNobodyKnowsWhetherItHasEndedIsNone(t *testing.T) {
	shared := &endedSessions{ids: map[string]bool{}}
	s := sessionsWith(t, NewKey(), shared)
	r := begun(t, s, "token")
	shared.fail = errors.New("the database is away")
	if _, err := s.of(r); !errors.Is(err, shared.fail) {
		t.Errorf("the error is %v", err)
	}
}

// jwt is a token with that payload. Its signature is worth nothing.
func jwt(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestASessionEndsNoLaterThanItsToken(t *testing.T) {
	s := sessionsFor(t)
	now := time.Now().Truncate(time.Second)
	s.now = func() time.Time { return now }
	for name, one := range map[string]struct {
		token string
		want  time.Duration
	}{
		"earlier":          {jwt(fmt.Sprintf(`{"exp":%d}`, now.Unix()+60)), time.Minute},
		"later":            {jwt(fmt.Sprintf(`{"exp":%d}`, now.Unix()+7200)), time.Hour},
		"with a fraction":  {jwt(fmt.Sprintf(`{"exp":%d.5}`, now.Unix()+60)), time.Minute},
		"without an end":   {jwt(`{"sub":"ada"}`), time.Hour},
		"no number":        {jwt(`{"exp":"soon"}`), time.Hour},
		"far too large":    {jwt(`{"exp":1e300}`), time.Hour},
		"no JSON":          {jwt(`exp`), time.Hour},
		"no JWT":           {"a-static-token", time.Hour},
		"two dots, no JWT": {"a.b!.c", time.Hour},
	} {
		if found, err := s.of(begun(t, s, one.token)); err != nil || found.Ends != now.Add(one.want).Unix() {
			t.Errorf("%s: it ends after %v, %v", name, time.Unix(found.Ends, 0).Sub(now), err)
		}
	}
	err := s.begin(httptest.NewRecorder(), jwt(`{"exp":1}`), "ada")
	if err == nil || !strings.Contains(err.Error(), "has expired") {
		t.Errorf("with a token that has expired the error is %v", err)
	}
}
