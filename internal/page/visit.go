package page

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/testrun-dev/testrun/internal/web"
)

// What the pages bound. The API bounds what they ask it.
const (
	maxPages       = 256
	maxPagesOfUser = 64
	// maxForm is how large a form may be.
	maxForm = 1 << 20
	// pageTime is how long a page may take to be made and sent.
	pageTime = time.Minute
)

var (
	errTooManyPages = &problem{http.StatusServiceUnavailable, "Too many pages are asked for at once", "Try again in a second."}
	errForm         = &problem{http.StatusRequestEntityTooLarge, "This form cannot be read", "It is larger than a mebibyte, or damaged. Send less of it at once."}
	errPassedToken  = &problem{
		http.StatusUnauthorized, "The cluster does not accept the token that came with this request",
		"The proxy in front of this page passes on a token that has expired, or is not one for the API server. Log in there again, or tell who runs it.",
	}
	errPassedLogout = &problem{
		http.StatusBadRequest, "There is no session to end", "The proxy in front of this page has logged you in: log out there.",
	}
)

// ofOneOrigin refuses what pages of others send.
func (s *server) ofOneOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	if s.url != nil {
		// A proxy may change the host. A browser that is too old to say whether it asks across sites names its origin.
		_ = protection.AddTrustedOrigin(s.url.Scheme + "://" + s.url.Host)
	}
	return protection.Handler(next)
}

// open serves a page that needs no session.
func (s *server) open(serve func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), clientKey{}, r.RemoteAddr))
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(pageTime))
		v := &visit{server: s, w: w, r: r, leave: func() {}}
		if err := v.serve(serve); err != nil { //nolint:contextcheck // it is that of the visit
			v.fail(err) //nolint:contextcheck // it is that of the visit
		}
	})
}

func (v *visit) serve(serve func(*visit) error) error {
	if err := v.identify(); err != nil {
		return err
	}
	who := v.session.User
	if who == "" {
		who, _, _ = net.SplitHostPort(v.r.RemoteAddr)
	}
	leave, ok := v.pages.Enter(who)
	if !ok {
		v.w.Header().Set("Retry-After", "1")
		return errTooManyPages
	}
	v.leave = sync.OnceFunc(leave)
	defer v.leave()
	if v.r.Method == http.MethodPost && v.r.ParseForm() != nil {
		return errForm
	}
	return serve(v)
}

// identify finds out who looks: whose token came with the request, or else whose session it is. See docs/decisions/page.md.
func (v *visit) identify() (err error) {
	if token, ok := web.Bearer(v.r); ok {
		var me web.Me
		err := v.api.get(v.r.Context(), token, "/me", nil, &me)
		if isRefused(err) {
			return errPassedToken
		}
		v.session = session{Token: token, User: me.Username, Passed: true}
		return err
	}
	if v.session, err = v.sessions.of(v.r); errors.Is(err, errNoSession) {
		v.session, err = session{}, nil
	}
	return err
}

// isRefused says whether the API server does not accept a token.
func isRefused(err error) bool {
	var refused *apiError
	return errors.As(err, &refused) && refused.Status == http.StatusUnauthorized
}

// known serves a page to who has logged in. Others log in first.
func (s *server) known(serve func(*visit) error) http.Handler {
	return s.open(func(v *visit) error {
		if v.session.Token == "" {
			v.toLogin("")
			return nil
		}
		err := serve(v)
		switch {
		case !isRefused(err):
			return err
		case v.session.Passed:
			return errPassedToken
		}
		setCookie(v.w, cookieName, "", time.Unix(1, 0)) // its token is worth nothing any more
		v.toLogin("ended")
		return nil
	})
}
