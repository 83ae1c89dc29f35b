package page

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// noticeCookie holds what is said on the next page.
	noticeCookie = "__Host-testrun-said"
	// noticeTime is how long a notice waits for its page.
	noticeTime = time.Minute
	// maxReasons is how many reasons a notice lists, and maxReason how long each may be.
	maxReasons = 5
	maxReason  = 280
)

// notice is what somebody is told on the page after the one where they did something.
type notice struct {
	// Text is a sentence. Bad says that something failed.
	Text string `json:"t"`
	Bad  bool   `json:"b,omitempty"`
	// Reasons are why, one for each thing that failed.
	Reasons []string `json:"r,omitempty"`

	// Path is that of the page that shows it, Ends when it is too late for that, User whom it is for.
	Path string `json:"p,omitempty"`
	Ends int64  `json:"e,omitempty"`
	User string `json:"u,omitempty"`
}

// done ends a form: the browser goes to the page, which says what has happened.
func (v *visit) done(to string, what notice) error {
	to = localPath(to)
	if err := v.say(to, what); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// say has the page of the path say something when it is shown next. It is sealed in a cookie, so that nobody else makes a page say anything.
func (v *visit) say(path string, what notice) error {
	path, _, _ = strings.Cut(path, "?")
	what.Path, what.User, what.Ends = path, v.session.User, v.sessions.now().Add(noticeTime).Unix()
	what.Text = cut(what.Text, maxReason)
	if more := len(what.Reasons) - maxReasons; more > 0 {
		what.Reasons = append(slices.Clone(what.Reasons[:maxReasons]), fmt.Sprintf("And %d more.", more))
	}
	for i, reason := range what.Reasons {
		what.Reasons[i] = cut(reason, maxReason)
	}
	value, err := v.sessions.sealNotice(what)
	for ; err == nil && len(value) > maxCookie && len(what.Reasons) > 0; value, err = v.sessions.sealNotice(what) {
		what.Reasons = what.Reasons[:len(what.Reasons)-1]
	}
	if err == nil {
		setNotice(v.w, value, v.sessions.now().Add(noticeTime))
	}
	return err
}

func setNotice(w http.ResponseWriter, value string, ends time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: noticeCookie, Value: value, Path: "/", Expires: ends, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (s *sessions) sealNotice(what notice) (string, error) {
	text, err := json.Marshal(what)
	return base64.RawURLEncoding.EncodeToString(s.seal.Seal(nil, nil, text, []byte(noticeCookie))), err
}

func (s *sessions) openNotice(r *http.Request) (found notice, ok bool) {
	cookie, err := r.Cookie(noticeCookie)
	if err != nil {
		return found, false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cookie.Value)
	if err != nil {
		return found, false
	}
	text, err := s.seal.Open(nil, nil, sealed, []byte(noticeCookie))
	return found, err == nil && json.Unmarshal(text, &found) == nil
}

// said is the notice that is for this page, if there is one. It is shown once.
func (v *visit) said() *notice {
	found, ok := v.sessions.openNotice(v.r)
	if !ok || found.Path != v.r.URL.Path || found.User != v.session.User {
		return nil
	}
	setNotice(v.w, "", time.Unix(1, 0))
	if v.sessions.now().Unix() >= found.Ends {
		return nil
	}
	return &found
}

// cut is the beginning of a text.
func cut(text string, most int) string {
	letters := []rune(text)
	if len(letters) <= most {
		return text
	}
	return string(letters[:most-1]) + "…"
}
