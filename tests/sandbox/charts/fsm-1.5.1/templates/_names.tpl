{{/* The namespace of all objects; the release record stays in the release's own. */}}
{{- define "fsm.namespace" -}}
{{ default .Release.Namespace .Values.fsm.fsmNamespace }}
{{- end -}}

{{/* Labels of all objects except the preset ConfigMaps */}}
{{- define "fsm.labels" -}}
app.kubernetes.io/name: flomesh.io
app.kubernetes.io/instance: {{ .Values.fsm.meshName }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
{{- end -}}

{{/* Image of a control plane component: (list $ "fsmController") */}}
{{- define "fsm.image" -}}
{{- $component := index . 1 -}}
{{- with (index . 0).Values.fsm.image -}}
{{- $name := printf "%s/%s" .registry (index .name $component) -}}
{{- if .tag -}}{{ $name }}:{{ .tag }}{{- else -}}{{ $name }}@{{ index .digest $component }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* Image that is not of the release: from its registry, name and tag */}}
{{- define "fsm.foreignImage" -}}
{{ .registry }}/{{ .name }}:{{ .tag }}
{{- end -}}

{{- define "fsm.validatorWebhookConfigName" -}}
{{ default (printf "fsm-validator-mesh-%s" .Values.fsm.meshName) .Values.fsm.validatorWebhook.webhookConfigurationName }}
{{- end -}}

{{- define "fsm.tracingAddress" -}}
{{ default (printf "jaeger.%s.svc.cluster.local" (include "fsm.namespace" .)) .Values.fsm.tracing.address }}
{{- end -}}

{{/* Where pods go, from a component's values: its affinity, nodeSelector and tolerations */}}
{{- define "fsm.scheduling" -}}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "fsm.podSecurity" -}}
{{- if not (.Capabilities.APIVersions.Has "security.openshift.io/v1") }}
securityContext:
  runAsUser: 1000
  runAsGroup: 3000
  fsGroup: 2000
  supplementalGroups: [5555]
{{- end }}
{{- with .Values.fsm.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Waits until fsm-bootstrap has installed the CRDs: (list $ "init-fsm-controller") */}}
{{- define "fsm.waitForBootstrap" -}}
{{- $root := index . 0 -}}
- name: {{ index . 1 }}
  image: {{ include "fsm.image" (list $root "fsmCurl") }}
  command: [curl]
  args:
    - http://fsm-bootstrap.{{ include "fsm.namespace" $root }}.svc.cluster.local:9091/healthz
    - --connect-timeout
    - "2"
    - --retry
    - "50"
    - --retry-connrefused
    - --retry-delay
    - "5"
{{- end -}}

{{/* Flags that controller and injector have in common */}}
{{- define "fsm.certificateFlags" -}}
- --ca-bundle-secret-name
- {{ .Values.fsm.caBundleSecretName | quote }}
- --certificate-manager
- {{ .Values.fsm.certificateProvider.kind | quote }}
- --trust-domain
- {{ .Values.fsm.trustDomain | quote }}
- --enable-mesh-root-certificate={{ .Values.fsm.featureFlags.enableMeshRootCertificate }}
{{- if eq .Values.fsm.certificateProvider.kind "vault" }}
- --vault-host
- {{ required "fsm.vault.host is required when fsm.certificateProvider.kind is vault" .Values.fsm.vault.host | quote }}
- --vault-port
- {{ .Values.fsm.vault.port | quote }}
- --vault-protocol
- {{ .Values.fsm.vault.protocol | quote }}
{{- end }}
- --cert-manager-issuer-name
- {{ .Values.fsm.certmanager.issuerName | quote }}
- --cert-manager-issuer-kind
- {{ .Values.fsm.certmanager.issuerKind | quote }}
- --cert-manager-issuer-group
- {{ .Values.fsm.certmanager.issuerGroup | quote }}
- --enable-reconciler={{ .Values.fsm.enableReconciler }}
{{- end -}}
