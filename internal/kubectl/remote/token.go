// Package remote asks the programs of TestRun that run in the cluster: the server of the archive, and the operator about its queues. It finds
// them through their Services, and reaches them as `kubectl port-forward` does, with the rights of whoever asks.
package remote

import (
	"errors"
	"net/http"
	"strings"

	"k8s.io/client-go/rest"
)

// ErrNoToken means that the kubeconfig has no token that could be sent.
var ErrNoToken = errors.New("your kubeconfig has no bearer token, only a client certificate or a password, and TestRun's programs know people by " +
	"a token. Give one with --token, for example --token=$(kubectl create token ACCOUNT)")

// ErrImpersonated means that whoever asks acts as somebody else, whose token nobody has.
var ErrImpersonated = errors.New("with --as your own token would be sent, and TestRun's programs would answer what you may see, not what they may: " +
	"leave out --as, or add --archive=none")

// Token is the bearer token of the kubeconfig: written there, in a file, or made by its exec plugin.
func Token(config *rest.Config) (string, error) {
	if config.Impersonate.UserName != "" {
		return "", ErrImpersonated
	}
	seen := &captured{}
	// Whatever adds the credentials to a request, adds them to this one too.
	chain, err := rest.HTTPWrappersForConfig(config, seen)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequest(http.MethodGet, "https://kubernetes.invalid/", http.NoBody) //nolint:noctx // it is sent nowhere
	if err != nil {
		return "", err
	}
	response, err := chain.RoundTrip(request)
	if err != nil {
		return "", err
	}
	_ = response.Body.Close()
	scheme, token, _ := strings.Cut(seen.authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", ErrNoToken
	}
	return token, nil
}

// captured keeps what a request would send as its credentials, and sends it nowhere.
type captured struct{ authorization string }

// RoundTrip answers without asking anybody.
func (c *captured) RoundTrip(request *http.Request) (*http.Response, error) {
	c.authorization = request.Header.Get("Authorization")
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: request}, nil
}
