package page

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

// OIDC is a provider through which people log in. The API server has to trust it too: its ID token is their token of the cluster.
type OIDC struct {
	// Issuer is its address; empty if there is none.
	Issuer                 string
	ClientID, ClientSecret string
	// Scopes are asked for beside openid.
	Scopes []string
	// CA are certificates in PEM that its own is signed by; empty for those of the system.
	CA []byte
}

const (
	callbackPath = "/login/callback"
	// loginCookie is what a browser keeps while its user is at the provider; providerCookie says that they have logged in there.
	loginCookie, providerCookie = "__Host-testrun-login", "__Host-testrun-provider"
	// loginTime is how long somebody may take to log in, providerTime for how long they are sent there again when their session has ended.
	loginTime, providerTime = 10 * time.Minute, 30 * 24 * time.Hour

	providerTimeout   = 10 * time.Second
	maxProviderAnswer = 1 << 20
)

// provider talks to the OIDC provider.
type provider struct {
	OIDC
	client   *http.Client
	redirect string

	asking singleflight.Group
	found  atomic.Pointer[oidc.Provider]
}

// newProvider prepares to talk to a provider; nil if there is none. pages is the address of the pages, as browsers know it.
func newProvider(options OIDC, pages *url.URL) (*provider, error) {
	if options.Issuer == "" {
		return nil, nil
	}
	if pages == nil || options.ClientID == "" {
		return nil, errors.New("a provider needs the id of a client, and the address of the pages to come back to")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if len(options.CA) > 0 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(options.CA) {
			return nil, errors.New("there is no certificate in PEM of the authority of the provider")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &provider{
		OIDC: options, client: &http.Client{Transport: bounded{transport}, Timeout: providerTimeout}, redirect: pages.JoinPath(callbackPath).String(),
	}, nil
}

// bounded answers of a provider are not longer than what anybody means.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxProviderAnswer), answer.Body}
	}
	return answer, err
}

// Name is what the provider is called on the page.
func (p *provider) Name() string {
	if address, err := url.Parse(p.Issuer); err == nil && address.Host != "" {
		return address.Host
	}
	return p.Issuer
}

// discover asks the provider where it is to be asked; once, if it answers.
func (p *provider) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	if p.found.Load() == nil {
		_, err, _ := p.asking.Do("", func() (any, error) {
			// The keys of the provider are fetched with the client of this context later.
			found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.Issuer)
			if err == nil {
				p.found.Store(found)
			}
			return nil, err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errProviderAway, err)
		}
	}
	found := p.found.Load()
	return found, &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: p.redirect,
		Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...),
	}, nil
}

// loggingIn is what has to be the same when somebody comes back from the provider.
type loggingIn struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	Next     string `json:"x"`
	Ends     int64  `json:"e"`
}

var (
	errProviderAway = &problem{
		http.StatusBadGateway, "The provider of logins does not answer",
		"Try again, or log in with a token. The log of the server says what it was asked and why it failed.",
	}
	errNotBegun = &problem{
		http.StatusBadRequest, "This login was not begun in this browser, or more than ten minutes ago",
		"Log in again. A link to this address that somebody else gave you is of no use.",
	}
	errNotLoggedIn = &problem{
		http.StatusForbidden, "The provider has not let you in", "Try again, or ask who runs it. The log of the server has its answer.",
	}
	errCodeRefused = &problem{
		http.StatusUnauthorized, "The provider does not accept the code of this login", "It has expired, or was used before. Log in again.",
	}
	errWrongToken = &problem{
		http.StatusUnauthorized, "The provider's token is not for this login",
		"Log in again. If it happens each time, the log of the server says what is wrong with the token.",
	}
	errTokenNotOfCluster = &problem{
		http.StatusUnauthorized, "The cluster does not accept the provider's token",
		"The API server has to trust the provider too: docs/page.md says how to set it up. Or log in with a token.",
	}
)

// toProvider sends somebody to the provider, and remembers what they have to come back with.
func (v *visit) toProvider() error {
	if v.provider == nil {
		return errNoPage
	}
	_, config, err := v.provider.discover(v.r.Context())
	if err != nil {
		return v.logged(err)
	}
	next := localPath(v.r.FormValue("next"))
	if len(next) > maxNext {
		next = "/"
	}
	ends := v.sessions.now().Add(loginTime)
	begun := loggingIn{rand.Text(), rand.Text(), oauth2.GenerateVerifier(), next, ends.Unix()}
	value, err := v.sessions.sealed(cookieOf(begun.State), begun)
	if err != nil {
		return err
	}
	setCookie(v.w, cookieOf(begun.State), value, ends)
	http.Redirect(v.w, v.r, config.AuthCodeURL(begun.State, oidc.Nonce(begun.Nonce), oauth2.S256ChallengeOption(begun.Verifier)), http.StatusSeeOther)
	return nil
}

// cookieOf is the cookie of a login: several tabs may log in at once.
func cookieOf(state string) string {
	return fmt.Sprintf("%s-%x", loginCookie, sha256.Sum256([]byte(state)))[:len(loginCookie)+9]
}

// maxNext is how long the address may be to which somebody comes back: it is in a cookie.
const maxNext = 1500

// fromProvider begins the session of somebody who comes back from the provider.
func (v *visit) fromProvider() error {
	if v.provider == nil {
		return errNoPage
	}
	query := v.r.URL.Query()
	var begun loggingIn
	cookie := cookieOf(query.Get("state"))
	isOurs := v.sessions.open(v.r, cookie, &begun) && v.sessions.now().Unix() < begun.Ends &&
		subtle.ConstantTimeCompare([]byte(begun.State), []byte(query.Get("state"))) == 1
	if !isOurs {
		return errNotBegun
	}
	setCookie(v.w, cookie, "", time.Unix(1, 0)) // it is for once
	if query.Get("code") == "" {
		return v.logged(fmt.Errorf("%w: %.100q %.500q", errNotLoggedIn, query.Get("error"), query.Get("error_description")))
	}
	token, err := v.provider.idToken(v.r.Context(), begun, query.Get("code"))
	if err != nil {
		return v.logged(err)
	}
	err = v.beginSession(token)
	if isRefused(err) {
		return v.logged(errTokenNotOfCluster)
	}
	if err != nil {
		return err
	}
	setCookie(v.w, providerCookie, "1", v.sessions.now().Add(providerTime))
	http.Redirect(v.w, v.r, localPath(begun.Next), http.StatusSeeOther)
	return nil
}

// idToken exchanges a code for the ID token, and checks that it is for this login.
func (p *provider) idToken(ctx context.Context, begun loggingIn, code string) (string, error) {
	found, config, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	answer, err := config.Exchange(ctx, code, oauth2.VerifierOption(begun.Verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.Response.StatusCode < http.StatusInternalServerError:
		return "", fmt.Errorf("%w: %w", errCodeRefused, err)
	case err != nil:
		return "", fmt.Errorf("%w: %w", errProviderAway, err)
	}
	text, _ := answer.Extra("id_token").(string)
	token, err := found.Verifier(&oidc.Config{ClientID: p.ClientID}).Verify(ctx, text)
	if err == nil && subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(begun.Nonce)) != 1 {
		err = errors.New("it has the nonce of another login")
	}
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return "", fmt.Errorf("%w: %w", errExpired, err)
	case err != nil:
		return "", fmt.Errorf("%w: %w", errWrongToken, err)
	}
	return text, nil
}

// logged has the log say why somebody could not log in: the page does not.
func (v *visit) logged(err error) error {
	v.log.WarnContext(v.r.Context(), "Somebody could not log in through the provider", "error", strings.ToValidUTF8(err.Error(), "�"))
	return err
}

// providerPath leads to the provider, and from there to next.
func providerPath(next string) string {
	return "/login/provider?" + url.Values{"next": {next}}.Encode()
}

// again says whether whoever asks has logged in through the provider before, so that they are sent there without a question.
func (v *visit) again() bool {
	if v.provider == nil || v.r.Method != http.MethodGet {
		return false
	}
	mode := v.r.Header.Get("Sec-Fetch-Mode")
	_, err := v.r.Cookie(providerCookie)
	return err == nil && (mode == "" || mode == "navigate")
}
