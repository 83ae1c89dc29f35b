package kubectl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/remote"
	"github.com/testrun-dev/testrun/internal/newrun"
)

// The resources of TestRun.
const (
	testRuns   = "testruns"
	tests      = "tests"
	testQueues = "testqueues"
)

// cluster is what a command asks.
type cluster struct {
	*app
	rest    *rest.Config
	objects *rest.RESTClient
	core    corev1client.CoreV1Interface
	// namespace is that of the command line, or of the kubeconfig's context. given says that it was named on the command line.
	namespace string
	given     bool

	mutex   sync.Mutex
	opened  *remote.Archive
	openErr error
	// trouble is told that the cluster does not answer, and with nothing that it does again.
	trouble func(string)
}

var scheme = func() *runtime.Scheme {
	all := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(all))
	metav1.AddToGroupVersion(all, metav1.Unversioned)
	return all
}()

var parameters = runtime.NewParameterCodec(scheme)

// cluster makes the clients. It asks nobody.
func (a *app) cluster() (*cluster, error) {
	loader := a.config.ToRawKubeConfigLoader()
	config, err := loader.ClientConfig()
	if err == nil {
		err = a.noCluster(loader)
	}
	if err != nil {
		return nil, a.explainConfig(loader, err)
	}
	c := &cluster{app: a, trouble: a.tellTrouble}
	if c.namespace, c.given, err = loader.Namespace(); err != nil {
		return nil, a.explainConfig(loader, err)
	}
	config.QPS, config.Burst = 50, 100
	config.UserAgent = "kubectl-testrun/" + a.version
	config.WarningHandler = rest.NewWarningWriter(a.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
	c.rest = config
	if c.core, err = corev1client.NewForConfig(config); err != nil {
		return nil, a.explainConfig(loader, err)
	}
	own := rest.CopyConfig(config)
	own.APIPath, own.GroupVersion = "/apis", &v1alpha1.GroupVersion
	own.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	own.ContentType = runtime.ContentTypeJSON
	c.objects, err = rest.RESTClientFor(own)
	return c, err
}

// errNoConfig means that there is nothing that names a cluster.
var errNoConfig = errors.New("no kubeconfig names a cluster")

// noCluster finds out whether what client-go takes instead of a kubeconfig, port 8080 of this machine, is all that there is.
func (a *app) noCluster(loader clientcmd.ClientConfig) error {
	raw, err := loader.RawConfig()
	if err != nil || len(raw.Clusters) > 0 || a.config.APIServer != nil && *a.config.APIServer != "" {
		return err
	}
	if _, err := rest.InClusterConfig(); err == nil {
		return nil
	}
	return errNoConfig
}

// get reads an object.
func (c *cluster) get(ctx context.Context, into runtime.Object, resource, namespace, name string) error {
	return c.objects.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resource).Name(name).Do(ctx).Into(into)
}

// pageSize is how many objects one answer has at most.
const pageSize = 500

// list calls each with the pages of a list. One that takes so long that the cluster forgets its beginning is read again in one piece.
func (c *cluster) list(ctx context.Context, resource, namespace string, options metav1.ListOptions, into func() runtime.Object, each func(runtime.Object) error) error {
	options.Limit = pageSize
	for {
		page := into()
		request := c.objects.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resource)
		err := request.VersionedParams(&options, parameters).Do(ctx).Into(page)
		if apierrors.IsResourceExpired(err) && options.Continue != "" {
			options.Continue, options.Limit = "", 0
			continue
		}
		if err != nil {
			return err
		}
		if err := each(page); err != nil {
			return err
		}
		accessor, ok := page.(metav1.ListMetaAccessor)
		if !ok || accessor.GetListMeta().GetContinue() == "" {
			return nil
		}
		options.Continue = accessor.GetListMeta().GetContinue()
	}
}

// names are those of all objects of a kind in the namespace; of the whole cluster if it is empty.
func (c *cluster) names(ctx context.Context, resource, namespace string) (names []string, err error) {
	objects, err := c.heads(ctx, resource, namespace, "")
	for i := range objects {
		names = append(names, objects[i].Name)
	}
	return names, err
}

// heads are the metadata of objects of a kind, which cost little to ask for: of those of a name, or of all if it is empty.
func (c *cluster) heads(ctx context.Context, resource, namespace, name string) (heads []metav1.ObjectMeta, err error) {
	var list struct {
		Items []struct {
			Metadata metav1.ObjectMeta `json:"metadata"`
		} `json:"items"`
	}
	request := c.objects.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resource).Param("limit", fmt.Sprint(pageSize))
	if name != "" {
		request.Param("fieldSelector", "metadata.name="+name)
	}
	request.SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json")
	body, err := request.DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	for i := range list.Items {
		heads = append(heads, list.Items[i].Metadata)
	}
	return heads, nil
}

// fieldManager does not begin with kubectl: Flux takes back what managers of such names change in what it applies, a cancel for one.
const fieldManager = "testrun"

// patch merges a patch into an object.
func (c *cluster) patch(ctx context.Context, into runtime.Object, resource, namespace, name string, patch any) error {
	text, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	request := c.objects.Patch(types.MergePatchType).NamespaceIfScoped(namespace, namespace != "").Resource(resource).Name(name)
	return request.Param("fieldValidation", "Strict").Param("fieldManager", fieldManager).Body(text).Do(ctx).Into(into)
}

// create creates a run. Fields that the cluster does not know are refused, and dryRun only tries it.
func (c *cluster) create(ctx context.Context, run *v1alpha1.TestRun, dryRun bool) (*v1alpha1.TestRun, error) {
	text, err := json.Marshal(newrun.ManifestOf(run))
	if err != nil {
		return nil, err
	}
	request := c.objects.Post().Namespace(run.Namespace).Resource(testRuns).Param("fieldValidation", "Strict").Param("fieldManager", fieldManager)
	if dryRun {
		request.Param("dryRun", "All")
	}
	created := &v1alpha1.TestRun{}
	err = request.SetHeader("Content-Type", runtime.ContentTypeJSON).Body(text).Do(ctx).Into(created)
	return created, err
}

// openArchive reaches the server of the archive, once.
func (c *cluster) openArchive(ctx context.Context) (*remote.Archive, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.opened == nil && c.openErr == nil {
		c.opened, c.openErr = c.findArchive(ctx)
	}
	return c.opened, c.openErr
}

// lostArchive has the archive be reached anew if an error says that the way to it has ended, as when the server's pod is replaced.
func (c *cluster) lostArchive(err error) {
	var answer *remote.AnswerError
	if err == nil || errors.As(err, &answer) || errors.Is(err, context.Canceled) {
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.opened = nil
}

var errArchiveOff = errors.New("--archive=none says not to ask the archive")

func (c *cluster) findArchive(ctx context.Context) (*remote.Archive, error) {
	if c.archive == "none" {
		return nil, errArchiveOff
	}
	return remote.OpenArchive(ctx, c.remote(), c.where())
}

func (c *cluster) where() remote.Where {
	return remote.Where{URL: c.archive, Trust: remote.Trust{CA: c.archiveCA, Anybody: c.archiveInsecure}}
}

func (c *cluster) remote() *remote.Cluster {
	return &remote.Cluster{Config: c.rest, Core: c.core, Namespace: c.system}
}
