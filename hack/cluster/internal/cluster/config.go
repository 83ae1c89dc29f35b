package cluster

import (
	"bytes"
	"embed"
	"os"
	"path/filepath"
	"text/template"

	"github.com/testrun-dev/testrun/hack/cluster/internal/host"
	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
)

//go:embed config
var templates embed.FS

// settings are the values that the templates below config/ can use.
func (c *Cluster) settings() map[string]string {
	return map[string]string{
		"Bin":              c.Layout.Bin(),
		"PKI":              c.Layout.PKI(),
		"CNIConfig":        c.Layout.ConfigFile("cni"),
		"Registries":       c.Layout.ConfigFile("registries"),
		"NodeName":         layout.NodeName,
		"NodeIP":           layout.NodeIP,
		"PodLink":          layout.PodLink,
		"PodCIDR":          layout.PodCIDR,
		"IPAMDir":          layout.IPAMDir,
		"DNSServiceIP":     layout.DNSServiceIP,
		"ClusterDomain":    layout.ClusterDomain,
		"PauseImage":       layout.PauseImage,
		"CgroupRoot":       layout.CgroupRoot,
		"KubeletDir":       layout.KubeletDir,
		"PodLogDir":        layout.PodLogDir,
		"ContainerdRoot":   layout.ContainerdRoot,
		"ContainerdState":  layout.ContainerdState,
		"ContainerdSocket": layout.ContainerdSocket,
		"ShimSockets":      layout.ShimSockets,
		"RuncState":        layout.RuncState,
	}
}

// writeConfig writes the configuration files of all components.
func (c *Cluster) writeConfig() error {
	s := c.settings()
	s["Snapshotter"] = "overlayfs"
	if !host.OverlayWorks(layout.VarDir) {
		c.say("overlay mounts do not work below %s: every container copies its image (slower)", layout.VarDir)
		s["Snapshotter"] = "native"
	}
	for source, target := range map[string]string{
		"containerd.toml": "containerd.toml",
		"registries.toml": "registries/_default/hosts.toml",
		"cni.conflist":    "cni/10-testrun.conflist",
		"kubelet.yaml":    "kubelet.yaml",
		"kube-proxy.yaml": "kube-proxy.yaml",
		"Corefile":        "Corefile",
	} {
		content, err := render(source, s)
		if err != nil {
			return err
		}
		path := c.Layout.ConfigFile(target)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		// kube-proxy ends when its file is written, even with the same content.
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
			continue
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func render(name string, s map[string]string) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").ParseFS(templates, "config/"+name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, s)
	return out.Bytes(), err
}
