package kubectl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/tools/clientcmd"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// asked is what the cluster was asked for, for the sentence that says why it did not do it.
type asked struct {
	verb, resource, name string
	// namespace is empty for what belongs to none, and for a list of all namespaces.
	namespace string
}

// explain turns what went wrong into a sentence that says what to do.
func (c *cluster) explain(ctx context.Context, err error, what asked) error {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return err
	case !errors.As(err, &status):
		return c.explainConnection(err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the cluster of context %q does not know you: your credentials are missing or have expired. Log in to it again, "+
			"and see what kubectl auth whoami says", c.contextName())
	case apierrors.IsForbidden(err):
		return c.explainForbidden(ctx, err, what)
	case isUnknownResource(err):
		return fmt.Errorf("the cluster of context %q has no %s: TestRun is not installed there, or its CRDs are older than this plugin. "+
			"kubectl config get-contexts shows your other clusters; docs/operating.md says how to install it", c.contextName(), what.resource)
	case isUnknownField(status.Status()):
		return usage("%s. TestRuns can be selected by %s; CRDs that are older than this plugin know fewer of them",
			status.Status().Message, strings.Join(selectable, ", "))
	case isOlder(status.Status()):
		return fmt.Errorf("the CRDs in the cluster are older than this plugin (%s): %s. Have whoever installed TestRun update it, or use the "+
			"plugin of the version that is installed", c.version, status.Status().Message)
	case isMissingNamespace(status.Status()):
		return fmt.Errorf("there is no namespace %q. Name another one with -n: kubectl get namespaces shows them", what.namespace)
	case apierrors.IsInvalid(err):
		return fmt.Errorf("the cluster refuses it: %s", causes(status.Status()))
	case apierrors.IsAlreadyExists(err) && what.name != "":
		return fmt.Errorf("there is a run %q in namespace %s already: choose another --name, or leave --name out", what.name, what.namespace)
	}
	return err
}

// explainConnection is about errors of the way to the cluster.
func (c *cluster) explainConnection(err error) error {
	host := c.rest.Host
	hint := fmt.Sprintf("Is the cluster running, and is context %q the right one? kubectl config get-contexts shows the others", c.contextName())
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var address *net.OpError
	var request *url.Error
	switch {
	case errors.As(err, &dns):
		return fmt.Errorf("the cluster's address %s cannot be found: %s has no address. %s", host, dns.Name, hint)
	case errors.As(err, &authority), errors.As(err, &hostname):
		return fmt.Errorf("whoever answers at %s has a certificate that your kubeconfig does not trust: %w. Is it the cluster that you mean, and "+
			"has it been made anew since your kubeconfig was written?", host, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the cluster at %s did not answer in time. %s", host, hint)
	case errors.As(err, &address):
		return fmt.Errorf("the cluster at %s cannot be reached: %w. %s", host, address.Err, hint)
	case errors.As(err, &request):
		return fmt.Errorf("the cluster at %s cannot be asked: %w. %s", host, request.Err, hint)
	}
	return err
}

// roles are which role allows what.
func roleFor(what asked) (role, scope string) {
	reads := what.verb == "get" || what.verb == "list" || what.verb == "watch"
	switch {
	case what.resource == testQueues && reads:
		return "testrun-queue-viewer", ""
	case what.resource == testQueues:
		return "testrun-queue-editor", ""
	case reads:
		return "testrun-viewer", what.namespace
	default:
		return "testrun-starter", what.namespace
	}
}

// explainForbidden names the right that is missing. What is refused for another reason, such as a quota, is said in the cluster's words.
func (c *cluster) explainForbidden(ctx context.Context, err error, what asked) error {
	role, namespace := roleFor(what)
	where, command := "in namespace "+namespace, fmt.Sprintf("kubectl create rolebinding NAME --clusterrole=%s --user=YOU --namespace=%s", role, namespace)
	if namespace == "" {
		where, command = "in the whole cluster", fmt.Sprintf("kubectl create clusterrolebinding NAME --clusterrole=%s --user=YOU", role)
	}
	if what.namespace == "" && what.resource != testQueues {
		where = "in all namespaces; name one with -n"
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind != what.resource && status.Status().Details.Kind != "" {
		return fmt.Errorf("the cluster refuses it: %s", status.Status().Message)
	}
	if c.may(ctx, what) {
		return fmt.Errorf("the cluster refuses it: %s", status.Status().Message)
	}
	return fmt.Errorf("you may not %s %s %s. Whoever administers them can allow it: %s", what.verb, what.resource, where, command)
}

// isUnknownResource says whether the API server does not know the kind at all.
func isUnknownResource(err error) bool {
	return apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// isOlder says whether the API server does not know a field that the plugin knows.
func isOlder(status metav1.Status) bool {
	return status.Reason == metav1.StatusReasonBadRequest && strings.Contains(status.Message, "unknown field")
}

// selectable are the fields by which the API server selects TestRuns.
var selectable = []string{"metadata.name", "metadata.namespace", "status.phase", "status.verdict", "spec.testRef.name", "spec.rerunOf.name"}

// isUnknownField says whether the API server cannot select by a field.
func isUnknownField(status metav1.Status) bool {
	return status.Reason == metav1.StatusReasonBadRequest && strings.Contains(status.Message, "field label not supported")
}

func isMissingNamespace(status metav1.Status) bool {
	return status.Reason == metav1.StatusReasonNotFound && status.Details != nil && status.Details.Kind == "namespaces"
}

// causes are what is wrong with an object, in the sentences of the schema.
func causes(status metav1.Status) string {
	var all []string
	if status.Details != nil {
		for _, cause := range status.Details.Causes {
			text := strings.TrimSpace(cause.Message)
			if cause.Field != "" && cause.Field != "<nil>" {
				text = cause.Field + ": " + text
			}
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		return status.Message
	}
	return strings.Join(all, "; ")
}

// contextName is the context that is used.
func (a *app) contextName() string {
	if a.config.Context != nil && *a.config.Context != "" {
		return *a.config.Context
	}
	raw, err := a.config.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return ""
	}
	return raw.CurrentContext
}

// explainConfig is about errors of the kubeconfig.
func (a *app) explainConfig(loader clientcmd.ClientConfig, err error) error {
	raw, rawErr := loader.RawConfig()
	wanted := a.contextName()
	_, known := raw.Contexts[wanted]
	switch {
	case errors.Is(err, errNoConfig), clientcmd.IsEmptyConfig(err):
		return fmt.Errorf("no cluster is known: there is no kubeconfig, or it is empty. Set KUBECONFIG, or name the file with --kubeconfig")
	case rawErr != nil:
		return fmt.Errorf("the kubeconfig cannot be read: %w", rawErr)
	case wanted != "" && !known:
		names := slices.Collect(maps.Keys(raw.Contexts))
		return errors.New(sentences(fmt.Sprintf("the kubeconfig has no context %q", wanted), didYouMean(wanted, names), "It has: "+listed(names)))
	}
	return fmt.Errorf("the kubeconfig cannot be used: %w", err)
}

// may asks the cluster whether whoever asks has the right; that they do not, if it does not say.
func (c *cluster) may(ctx context.Context, what asked) bool {
	reviews, err := authorizationv1client.NewForConfig(c.rest)
	if err != nil {
		return false
	}
	review, err := reviews.SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: v1alpha1.GroupVersion.Group, Version: "*", Resource: what.resource, Verb: what.verb, Namespace: what.namespace, Name: what.name,
		}},
	}, metav1.CreateOptions{})
	return err == nil && review.Status.Allowed
}

// brokenOff says whether a connection ended that may be made again.
func brokenOff(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err) ||
			apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsTimeout(err)
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) || errors.Is(err, context.Canceled) {
		return false
	}
	var request *url.Error // whatever went wrong on the way
	var address *net.OpError
	return errors.As(err, &request) || errors.As(err, &address) || utilnet.IsTimeout(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		utilnet.IsHTTP2ConnectionLost(err)
}
