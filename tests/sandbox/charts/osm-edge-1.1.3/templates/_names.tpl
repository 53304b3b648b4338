{{/* The namespace of all objects; the release record stays in the release's own. */}}
{{- define "osm.namespace" -}}
{{ default .Release.Namespace .Values.osm.osmNamespace }}
{{- end -}}

{{/* Labels of all objects except the preset ConfigMaps */}}
{{- define "osm.labels" -}}
app.kubernetes.io/name: openservicemesh.io
app.kubernetes.io/instance: {{ .Values.osm.meshName }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
{{- end -}}

{{/* Image of a control plane component: (list $ "osmController") */}}
{{- define "osm.image" -}}
{{- $component := index . 1 -}}
{{- with (index . 0).Values.osm.image -}}
{{- $name := printf "%s/%s" .registry (index .name $component) -}}
{{- if .tag -}}{{ $name }}:{{ .tag }}{{- else -}}{{ $name }}@{{ index .digest $component }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "osm.validatorWebhookConfigName" -}}
{{ default (printf "osm-validator-mesh-%s" .Values.osm.meshName) .Values.osm.validatorWebhook.webhookConfigurationName }}
{{- end -}}

{{- define "osm.tracingAddress" -}}
{{ default (printf "jaeger.%s.svc.cluster.local" (include "osm.namespace" .)) .Values.osm.tracing.address }}
{{- end -}}

{{/* Where pods go: all of them by the same selector (each component has its own since 1.2) */}}
{{- define "osm.scheduling" -}}
nodeSelector:
  kubernetes.io/arch: {{ .Values.osm.nodeSelector.arch }}
  kubernetes.io/os: {{ .Values.osm.nodeSelector.os }}
{{- with .Values.osm.controlPlaneTolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "osm.podSecurity" -}}
{{- if not (.Capabilities.APIVersions.Has "security.openshift.io/v1") }}
securityContext:
  runAsUser: 1000
  runAsGroup: 3000
  fsGroup: 2000
  supplementalGroups: [5555]
{{- end }}
{{- with .Values.osm.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Waits until osm-bootstrap has installed the CRDs: (list $ "init-osm-controller") */}}
{{- define "osm.waitForBootstrap" -}}
{{- $root := index . 0 -}}
- name: {{ index . 1 }}
  image: {{ $root.Values.osm.curlImage }}
  args:
    - http://osm-bootstrap.{{ include "osm.namespace" $root }}.svc.cluster.local:9091/healthz
    - --connect-timeout
    - "2"
    - --retry
    - "50"
    - --retry-connrefused
    - --retry-delay
    - "5"
{{- end -}}

{{/* Flags that controller and injector have in common */}}
{{- define "osm.certificateFlags" -}}
- --ca-bundle-secret-name
- {{ .Values.osm.caBundleSecretName | quote }}
- --certificate-manager
- {{ .Values.osm.certificateProvider.kind | quote }}
{{- if eq .Values.osm.certificateProvider.kind "vault" }}
- --vault-host
- {{ required "osm.vault.host is required when osm.certificateProvider.kind is vault" .Values.osm.vault.host | quote }}
- --vault-protocol
- {{ .Values.osm.vault.protocol | quote }}
{{- end }}
- --cert-manager-issuer-name
- {{ .Values.osm.certmanager.issuerName | quote }}
- --cert-manager-issuer-kind
- {{ .Values.osm.certmanager.issuerKind | quote }}
- --cert-manager-issuer-group
- {{ .Values.osm.certmanager.issuerGroup | quote }}
- --enable-reconciler={{ .Values.osm.enableReconciler }}
{{- end -}}
