package apiserver

import (
	"net/http"
	"strings"

	"k8s.io/client-go/rest"
)

// RoundTrip answers a request, by passing it on to next or by itself.
type RoundTrip func(request *http.Request, next http.RoundTripper) (*http.Response, error)

// Through returns a configuration whose requests all go through that.
func Through(base *rest.Config, roundTrip RoundTrip) *rest.Config {
	config := rest.CopyConfig(base)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) { return roundTrip(request, next) })
	})
	return config
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// ResourceOf takes the resource, and the subresource, out of /apis/GROUP/VERSION/namespaces/NS/RESOURCE/NAME/SUBRESOURCE.
func ResourceOf(path string) string {
	_, path, _ = strings.Cut(path, "/namespaces/")
	parts := strings.Split(path, "/")
	switch {
	case len(parts) > 3:
		return parts[1] + "/" + parts[3]
	case len(parts) > 1:
		return parts[1]
	default:
		return path
	}
}
