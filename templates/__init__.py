"""The pages' templates, packaged as `daas_templates`: `hub/` overrides the hub's own pages."""
