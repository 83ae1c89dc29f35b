package apiserver

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// Refuse answers the request as an API server does that has not done what it was asked for.
func Refuse(request *http.Request, code int, reason metav1.StatusReason, message string) (*http.Response, error) {
	status, err := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message,
	})
	header := http.Header{"Content-Type": []string{"application/json"}}
	if code == http.StatusTooManyRequests {
		header.Set("Retry-After", "1")
	}
	return &http.Response{
		Status: http.StatusText(code), StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(status)), ContentLength: int64(len(status)), Request: request,
	}, err
}
