package page

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/web"
)

// loginView is the page that asks for a token.
type loginView struct {
	Next string
	// Error says why the last try failed, Ended that a session has ended.
	Error string
	Ended bool
	// Lasts is how long a session lasts at most.
	Lasts time.Duration
	// Provider is the name of a provider through which one can log in, and ProviderPath leads there; empty if there is none.
	Provider, ProviderPath string
}

func (v *visit) showLogin() error {
	if v.session.Passed {
		http.Redirect(v.w, v.r, localPath(v.r.FormValue("next")), http.StatusSeeOther)
		return nil
	}
	return v.askToLogIn(http.StatusOK, loginView{Next: localPath(v.r.FormValue("next")), Ended: v.r.FormValue("why") == "ended"})
}

func (v *visit) askToLogIn(status int, view loginView) error {
	view.Lasts = v.sessions.time
	if v.provider != nil {
		view.Provider, view.ProviderPath = v.provider.Name(), providerPath(view.Next)
	}
	return v.show(status, "login", "Log in", view)
}

func (v *visit) login() error {
	token, next := strings.TrimSpace(v.r.PostFormValue("token")), localPath(v.r.PostFormValue("next"))
	err := v.beginSession(token)
	var refused *apiError
	if errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests {
		return v.askToLogIn(refused.Status, loginView{Next: next, Error: refused.Detail})
	}
	if isRefused(err) {
		return v.askToLogIn(http.StatusUnauthorized, loginView{
			Next: next, Error: "The cluster does not accept this token: it has expired, or it is not one for the API server.",
		})
	}
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, next, http.StatusSeeOther)
	return nil
}

// beginSession begins a session of whose token it is.
func (v *visit) beginSession(token string) error {
	var me web.Me
	if err := v.api.get(v.r.Context(), token, "/me", nil, &me); err != nil {
		return err
	}
	return v.sessions.begin(v.w, token, me.Username)
}

func (v *visit) logout() error {
	if v.session.Passed {
		return errPassedLogout
	}
	setCookie(v.w, providerCookie, "", time.Unix(1, 0))
	err := v.sessions.end(v.r.Context(), v.w, v.session)
	if err != nil {
		v.log.ErrorContext(v.r.Context(), "The end of a session cannot be stored", "user", v.session.User, "error", err)
		v.session = session{}
		return errNotEnded
	}
	http.Redirect(v.w, v.r, "/login", http.StatusSeeOther)
	return nil
}

var errNotEnded = &problem{
	http.StatusServiceUnavailable, "This browser has forgotten your session",
	"But its end could not be stored: whoever has copied its cookie can use it until your token expires. Delete the token, or its ServiceAccount, if that may be.",
}

// toLogin has whoever asks log in, and come back.
func (v *visit) toLogin(why string) {
	if v.again() {
		http.Redirect(v.w, v.r, providerPath(v.r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	query := url.Values{}
	if v.r.Method == http.MethodGet && v.r.URL.Path != "/" {
		query.Set("next", v.r.URL.RequestURI())
	}
	if why != "" {
		query.Set("why", why)
	}
	to := url.URL{Path: "/login", RawQuery: query.Encode()}
	http.Redirect(v.w, v.r, to.String(), http.StatusSeeOther)
}

// localPath is the path if it is one of this server, and else the first page. A browser takes // and \ for the beginning of a host.
func localPath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\\\t\r\n") || strings.HasPrefix(path, "//") {
		return "/"
	}
	parsed, err := url.Parse(path)
	if err != nil || parsed.Host != "" || parsed.Scheme != "" {
		return "/"
	}
	return path
}
