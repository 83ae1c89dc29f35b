package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
	"github.com/testrun-dev/testrun/hack/cluster/internal/pki"
)

// The authorities: who may be what in Kubernetes, who may talk to etcd, and who may pass users on to the API server.
const (
	clusterCA    = "ca"
	etcdCA       = "etcd-ca"
	frontProxyCA = "front-proxy-ca"
)

type issued struct {
	by   string
	leaf pki.Leaf
}

// certificates are the pairs that are used as files.
func certificates() map[string]issued {
	const service = "kubernetes.default.svc"
	return map[string]issued{
		"apiserver": {clusterCA, pki.Leaf{
			User:  "kube-apiserver",
			Names: []string{"kubernetes", "kubernetes.default", service, service + "." + layout.ClusterDomain, "localhost"},
			IPs:   []string{layout.APIServiceIP, layout.NodeIP, "127.0.0.1"},
		}},
		// What kubelet, controller manager and scheduler show to those who connect to them.
		"node": {clusterCA, pki.Leaf{
			User: layout.NodeName, Names: []string{layout.NodeName}, IPs: []string{layout.NodeIP},
		}},
		"apiserver-kubelet-client": {clusterCA, pki.Leaf{User: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}}},
		"etcd":                     {etcdCA, pki.Leaf{User: "etcd", IPs: []string{layout.NodeIP}}},
		"apiserver-etcd-client":    {etcdCA, pki.Leaf{User: "kube-apiserver-etcd-client"}},
		"front-proxy-client":       {frontProxyCA, pki.Leaf{User: "front-proxy-client"}},
	}
}

// users are those that get a kubeconfig, by the component's name.
func users() map[string]pki.Leaf {
	return map[string]pki.Leaf{
		"admin":                   {User: "kubernetes-admin", Groups: []string{"system:masters"}},
		"kube-controller-manager": {User: "system:kube-controller-manager"},
		"kube-scheduler":          {User: "system:kube-scheduler"},
		"kubelet":                 {User: "system:node:" + layout.NodeName, Groups: []string{"system:nodes"}},
		"kube-proxy":              {User: "system:kube-proxy"},
		"coredns":                 {User: "system:coredns"},
		kwok:                      {User: "system:kwok"},
	}
}

// ensurePKI makes all certificates, unless they are there: a cluster keeps those it was started with.
func (c *Cluster) ensurePKI() error {
	if _, err := os.Stat(c.Layout.Kubeconfig()); err == nil {
		return nil
	}
	dir := c.Layout.PKI()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	authorities := map[string]*pki.Authority{}
	for _, name := range []string{clusterCA, etcdCA, frontProxyCA} {
		ca, err := pki.NewAuthority("testrun-" + name)
		if err != nil {
			return err
		}
		if err := ca.Write(dir, name); err != nil {
			return err
		}
		authorities[name] = ca
	}
	for name, cert := range certificates() {
		pair, err := authorities[cert.by].Issue(cert.leaf)
		if err != nil {
			return err
		}
		if err := pair.Write(dir, name); err != nil {
			return err
		}
	}
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Layout.Cert("service-account.key"), key, 0o600); err != nil {
		return err
	}
	return c.writeKubeconfigs(authorities[clusterCA])
}

func (c *Cluster) writeKubeconfigs(ca *pki.Authority) error {
	for name, leaf := range users() {
		pair, err := ca.Issue(leaf)
		if err != nil {
			return err
		}
		data := pki.Kubeconfig(layout.APIServer, leaf.User, ca.Cert, pair)
		if err := os.WriteFile(filepath.Join(c.Layout.PKI(), name+".kubeconfig"), data, 0o600); err != nil {
			return err
		}
	}
	// The administrator's is what people use. Written last: its presence says that all the others are there.
	admin, err := os.ReadFile(c.Layout.Cert("admin.kubeconfig"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Layout.Kubeconfig(), admin, 0o600); err != nil {
		return err
	}
	return giveToCaller(c.Layout.Kubeconfig())
}

// giveToCaller makes a file that root wrote readable for the person who called sudo.
func giveToCaller(path string) error {
	if os.Getenv("SUDO_UID") == "" {
		return nil
	}
	uid, errUID := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, errGID := strconv.Atoi(os.Getenv("SUDO_GID"))
	if err := errors.Join(errUID, errGID); err != nil {
		return fmt.Errorf("find out who called sudo: %w", err)
	}
	if err := os.Chown(path, uid, gid); err != nil {
		return fmt.Errorf("give %s to the user who called sudo: %w", path, err)
	}
	return nil
}
