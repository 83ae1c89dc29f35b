package page

import (
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
	value, err := v.sessions.sealed(noticeCookie, what)
	for ; err == nil && len(value) > maxCookie && len(what.Reasons) > 0; value, err = v.sessions.sealed(noticeCookie, what) {
		what.Reasons = what.Reasons[:len(what.Reasons)-1]
	}
	if err == nil {
		setCookie(v.w, noticeCookie, value, v.sessions.now().Add(noticeTime))
	}
	return err
}

// said is the notice that is for this page, if there is one. It is shown once.
func (v *visit) said() *notice {
	var found notice
	if !v.sessions.open(v.r, noticeCookie, &found) || found.Path != v.r.URL.Path || found.User != v.session.User {
		return nil
	}
	setCookie(v.w, noticeCookie, "", time.Unix(1, 0))
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
