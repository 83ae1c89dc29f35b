package page

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/cache"
)

const (
	// cookieName begins so that a browser takes it from this host alone, over TLS.
	cookieName = "__Host-testrun"
	// maxCookie is how long a cookie may be: browsers drop longer ones.
	maxCookie = 4000
	// DefaultSessionTime is how long a session lasts at most, unless the server is told otherwise. It ends earlier with its token.
	DefaultSessionTime = 12 * time.Hour

	// What is known of sessions is believed for so long, so that a page asks the database seldom.
	liveGoodFor = 5 * time.Second
	maxSessions = 4096
)

// EndedSessions remembers sessions that have ended before their time. All replicas share it.
type EndedSessions interface {
	// EndSession remembers one until ends.
	EndSession(ctx context.Context, id string, ends time.Time) error
	SessionEnded(ctx context.Context, id string) (bool, error)
}

// session is who looks.
type session struct {
	// ID is what the session is called once it has ended.
	ID string `json:"i"`
	// Token is a token of the cluster.
	Token string `json:"t"`
	// User is whose it is, as the API server says.
	User string `json:"u"`
	// Ends is in seconds since 1970.
	Ends int64 `json:"e"`
	// Passed means that there is no session: a token came with the request.
	Passed bool `json:"-"`
}

// sessions keeps sessions in cookies, which only the server can read and make.
type sessions struct {
	seal  cipher.AEAD
	ended EndedSessions
	// known says of sessions whether they have ended.
	known *cache.LRUExpireCache
	time  time.Duration
	now   func() time.Time
}

func newSessions(key []byte, lasts time.Duration, ended EndedSessions) (*sessions, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("the key of sessions: %w", err)
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	if lasts <= 0 {
		lasts = DefaultSessionTime
	}
	return &sessions{seal: seal, ended: ended, known: cache.NewLRUExpireCache(maxSessions), time: lasts, now: time.Now}, nil
}

// KeySize is how many bytes a key has that seals sessions.
const KeySize = 32

// NewKey makes a key that seals sessions.
func NewKey() []byte {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // it never fails
	return key
}

var errNoSession = errors.New("no session")

// of is the session of a request. The error is errNoSession if there is none.
func (s *sessions) of(r *http.Request) (session, error) {
	var found session
	if !s.open(r, cookieName, &found) || found.ID == "" || s.now().Unix() >= found.Ends {
		return session{}, errNoSession
	}
	return found, s.live(r.Context(), found)
}

// live says whether a session has not ended before its time: the error is errNoSession if it has.
func (s *sessions) live(ctx context.Context, one session) error {
	ended, known := s.known.Get(one.ID)
	if !known {
		asked, err := s.ended.SessionEnded(ctx, one.ID)
		if err != nil {
			return err
		}
		s.remember(one, asked)
		ended = asked
	}
	if ended.(bool) {
		return errNoSession
	}
	return nil
}

func (s *sessions) remember(one session, ended bool) {
	goodFor := liveGoodFor
	if ended {
		goodFor = time.Unix(one.Ends, 0).Sub(s.now())
	}
	s.known.Add(one.ID, ended, goodFor)
}

// begin begins a session. It ends with its token.
func (s *sessions) begin(w http.ResponseWriter, token, user string) error {
	ends := s.now().Add(s.time)
	if expires, ok := expiryOf(token); ok && expires.Before(ends) {
		ends = expires
	}
	if !ends.After(s.now()) {
		return errExpired
	}
	value, err := s.sealed(cookieName, session{ID: rand.Text(), Token: token, User: user, Ends: ends.Unix()})
	if err != nil {
		return err
	}
	if len(value) > maxCookie {
		return &problem{http.StatusBadRequest, "This token is too long for a session", "Log in with a shorter one: that of a ServiceAccount, for one."}
	}
	setCookie(w, cookieName, value, ends)
	return nil
}

// end ends a session for good: its cookie is worth nothing any more, whoever has kept it.
func (s *sessions) end(ctx context.Context, w http.ResponseWriter, one session) error {
	setCookie(w, cookieName, "", time.Unix(1, 0))
	if one.ID == "" {
		return nil
	}
	s.remember(one, true)
	return s.ended.EndSession(ctx, one.ID, time.Unix(one.Ends, 0))
}

// sealed is a value as the text of a cookie.
func (s *sessions) sealed(name string, value any) (string, error) {
	text, err := json.Marshal(value)
	return base64.RawURLEncoding.EncodeToString(s.seal.Seal(nil, nil, text, []byte(name))), err
}

// open reads a cookie that sealed made under that name.
func (s *sessions) open(r *http.Request, name string, into any) bool {
	cookie, err := r.Cookie(name)
	if err != nil {
		return false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cookie.Value)
	if err != nil {
		return false
	}
	text, err := s.seal.Open(nil, nil, sealed, []byte(name))
	return err == nil && json.Unmarshal(text, into) == nil
}

func setCookie(w http.ResponseWriter, name, value string, ends time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", Expires: ends, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

var errExpired = &problem{http.StatusUnauthorized, "This token has expired", "Log in with a new one. If it is new, compare the clocks of the server and of who made it."}

// expiryOf is when a token says that it expires, if it is a JWT. It is believed in this only: that a session ends earlier.
func expiryOf(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Expires json.Number `json:"exp"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&claims) != nil {
		return time.Time{}, false
	}
	seconds, err := claims.Expires.Float64()
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}
