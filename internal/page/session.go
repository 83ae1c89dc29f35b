package page

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// cookieName begins so that a browser takes it from this host alone, over TLS.
	cookieName = "__Host-testrun"
	// maxCookie is how long a cookie may be: browsers drop longer ones.
	maxCookie = 4000
	// DefaultSessionTime is how long a session lasts at most, unless the server is told otherwise. It ends earlier with its token.
	DefaultSessionTime = 12 * time.Hour
)

// session is who looks.
type session struct {
	// Token is a token of the cluster.
	Token string `json:"t"`
	// User is whose it is, as the API server says.
	User string `json:"u"`
	// Ends is in seconds since 1970.
	Ends int64 `json:"e"`
}

// sessions keeps sessions in cookies, which only the server can read and make.
type sessions struct {
	seal cipher.AEAD
	time time.Duration
	now  func() time.Time
}

func newSessions(key []byte, lasts time.Duration) (*sessions, error) {
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
	return &sessions{seal: seal, time: lasts, now: time.Now}, nil
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

// of is the session of a request.
func (s *sessions) of(r *http.Request) (session, error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return session{}, errNoSession
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cookie.Value)
	if err != nil {
		return session{}, errNoSession
	}
	text, err := s.seal.Open(nil, nil, sealed, []byte(cookieName))
	var found session
	if err != nil || json.Unmarshal(text, &found) != nil || s.now().Unix() >= found.Ends {
		return session{}, errNoSession
	}
	return found, nil
}

// begin begins a session.
func (s *sessions) begin(w http.ResponseWriter, token, user string) error {
	ends := s.now().Add(s.time)
	text, err := json.Marshal(session{token, user, ends.Unix()})
	if err != nil {
		return err
	}
	value := base64.RawURLEncoding.EncodeToString(s.seal.Seal(nil, nil, text, []byte(cookieName)))
	if len(value) > maxCookie {
		return &problem{http.StatusBadRequest, "This token is too long for a session", "Log in with a shorter one: that of a ServiceAccount, for one."}
	}
	setCookie(w, value, ends)
	return nil
}

// end ends the session.
func (s *sessions) end(w http.ResponseWriter) { setCookie(w, "", time.Unix(1, 0)) }

func setCookie(w http.ResponseWriter, value string, ends time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", Expires: ends, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
