import type { Checked } from "./dashboard.d.ts";
export default {
 "annotations": {
  "list": []
 },
 "description": "Where the time of a decision goes.",
 "editable": false,
 "fiscalYearStartMonth": 0,
 "graphTooltip": 1,
 "id": null,
 "links": [
  {
   "asDropdown": true,
   "icon": "external link",
   "includeVars": true,
   "keepTime": true,
   "tags": [
    "kuzet"
   ],
   "targetBlank": false,
   "title": "kuzet",
   "tooltip": "The other dashboards",
   "type": "dashboards",
   "url": ""
  }
 ],
 "liveNow": false,
 "panels": [
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Time until a batch is durable and answered. One batch is one commit.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "s",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 9,
    "w": 12,
    "x": 0,
    "y": 0
   },
   "id": 1,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "histogram_quantile(0.5, sum by (le) (rate(kuzet_stage_seconds_bucket{job=\"$job\", instance=~\"$instance\", stage=\"end_to_end\"}[$__rate_interval])))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "50th percentile",
     "range": true,
     "refId": "A"
    },
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "histogram_quantile(0.95, sum by (le) (rate(kuzet_stage_seconds_bucket{job=\"$job\", instance=~\"$instance\", stage=\"end_to_end\"}[$__rate_interval])))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "95th percentile",
     "range": true,
     "refId": "B"
    },
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "histogram_quantile(0.99, sum by (le) (rate(kuzet_stage_seconds_bucket{job=\"$job\", instance=~\"$instance\", stage=\"end_to_end\"}[$__rate_interval])))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "99th percentile",
     "range": true,
     "refId": "C"
    }
   ],
   "title": "From arrival to commit",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "How many batches took how long.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "s",
     "custom": {
      "hideFrom": {
       "legend": false,
       "tooltip": false,
       "viz": false
      },
      "scaleDistribution": {
       "type": "linear"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 9,
    "w": 12,
    "x": 12,
    "y": 0
   },
   "id": 2,
   "options": {
    "calculate": false,
    "cellGap": 1,
    "color": {
     "exponent": 0.5,
     "fill": "dark-orange",
     "mode": "scheme",
     "reverse": false,
     "scale": "exponential",
     "scheme": "Oranges",
     "steps": 64
    },
    "exemplars": {
     "color": "rgba(255,0,255,0.7)"
    },
    "filterValues": {
     "le": 1e-09
    },
    "legend": {
     "show": true
    },
    "rowsFrame": {
     "layout": "auto"
    },
    "showValue": "never",
    "tooltip": {
     "mode": "single",
     "showColorScale": false,
     "yHistogram": false
    },
    "yAxis": {
     "axisPlacement": "left",
     "reverse": false,
     "unit": "s"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum by (le) (increase(kuzet_stage_seconds_bucket{job=\"$job\", instance=~\"$instance\", stage=\"end_to_end\"}[$__rate_interval]))",
     "format": "heatmap",
     "instant": false,
     "legendFormat": "{{le}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "From arrival to commit, all of it",
   "type": "heatmap"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Which stage makes the slowest batches slow.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "s",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 0,
    "y": 9
   },
   "id": 3,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "histogram_quantile(0.99, sum by (le, stage) (rate(kuzet_stage_seconds_bucket{job=\"$job\", instance=~\"$instance\"}[$__rate_interval])))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{stage}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "99th percentile by stage",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Time of a stage of an average batch; stages are added up.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "s",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 40,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "normal"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 12,
    "y": 9
   },
   "id": 4,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum by (stage) (rate(kuzet_stage_seconds_sum{job=\"$job\", instance=~\"$instance\", stage!=\"end_to_end\"}[$__rate_interval])) / sum by (stage) (rate(kuzet_stage_seconds_count{job=\"$job\", instance=~\"$instance\", stage!=\"end_to_end\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{stage}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Average by stage",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "From arrival to commit, by instance.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "s",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 0,
    "y": 17
   },
   "id": 5,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "histogram_quantile(0.99, sum by (le, instance) (rate(kuzet_stage_seconds_bucket{job=\"$job\", instance=~\"$instance\", stage=\"end_to_end\"}[$__rate_interval])))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{instance}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "99th percentile by instance",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Average time of the stage `decide` for one operation.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "s",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 12,
    "y": 17
   },
   "id": 6,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum (rate(kuzet_stage_seconds_sum{job=\"$job\", instance=~\"$instance\", stage=\"decide\"}[$__rate_interval])) / sum (rate(kuzet_batch_operations_sum{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "decide",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Deciding an operation",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Batches grow under load: average and 99th percentile.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "none",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 0,
    "y": 25
   },
   "id": 7,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum (rate(kuzet_batch_operations_sum{job=\"$job\", instance=~\"$instance\"}[$__rate_interval])) / sum (rate(kuzet_batch_operations_count{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "average",
     "range": true,
     "refId": "A"
    },
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "histogram_quantile(0.99, sum by (le) (rate(kuzet_batch_operations_bucket{job=\"$job\", instance=~\"$instance\"}[$__rate_interval])))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "99th percentile",
     "range": true,
     "refId": "B"
    }
   ],
   "title": "Operations of a batch",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Batches committed per second, by instance.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "ops",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 12,
    "y": 25
   },
   "id": 8,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum by (instance) (rate(kuzet_batch_operations_count{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{instance}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Batches",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Time to answer a request, by route. A long poll waits by design.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "s",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 0,
    "y": 33
   },
   "id": 9,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "histogram_quantile(0.99, sum by (le, endpoint) (rate(kuzet_http_request_seconds_bucket{job=\"$job\", instance=~\"$instance\"}[$__rate_interval])))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{endpoint}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "99th percentile by route",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "HTTP requests answered per second, by route.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "reqps",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 12,
    "y": 33
   },
   "id": 10,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum by (endpoint) (rate(kuzet_http_requests_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{endpoint}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Requests by route",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Time from assignment to the first decision, 99th percentile.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "s",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 0,
    "y": 41
   },
   "id": 11,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "histogram_quantile(0.99, sum by (le) (rate(kuzet_recovery_seconds_bucket{job=\"$job\", instance=~\"$instance\"}[$__rate_interval])))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "99th percentile",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Recovery of a shard",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "How long the waiting records take at the present pace.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "s",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 12,
    "y": 41
   },
   "id": 12,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum(max by (shard) (kuzet_consumer_lag_records{job=\"$job\", instance=~\"$instance\"})) / sum (rate(kuzet_operations_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "behind",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Lag in time",
   "type": "timeseries"
  }
 ],
 "refresh": "30s",
 "schemaVersion": 42,
 "tags": [
  "kuzet"
 ],
 "templating": {
  "list": [
   {
    "current": {
     "selected": false,
     "text": "Prometheus",
     "value": "prometheus"
    },
    "description": "The Prometheus that scrapes kuzet",
    "hide": 0,
    "includeAll": false,
    "label": "Data source",
    "multi": false,
    "name": "datasource",
    "query": "prometheus",
    "refresh": 1,
    "type": "datasource"
   },
   {
    "datasource": {
     "type": "prometheus",
     "uid": "${datasource}"
    },
    "description": "The scrape job of kuzet",
    "hide": 0,
    "includeAll": false,
    "label": "Job",
    "multi": false,
    "name": "job",
    "query": {
     "query": "label_values(kuzet_build_info, job)",
     "refId": "variable-job"
    },
    "refresh": 2,
    "sort": 1,
    "type": "query",
    "current": {
     "selected": true,
     "text": "kuzet",
     "value": "kuzet"
    }
   },
   {
    "datasource": {
     "type": "prometheus",
     "uid": "${datasource}"
    },
    "description": "Instances of kuzet",
    "hide": 0,
    "includeAll": true,
    "label": "Instance",
    "multi": true,
    "name": "instance",
    "query": {
     "query": "label_values(kuzet_build_info{job=\"$job\"}, instance)",
     "refId": "variable-instance"
    },
    "refresh": 2,
    "sort": 1,
    "type": "query",
    "current": {
     "selected": true,
     "text": [
      "All"
     ],
     "value": [
      "$__all"
     ]
    },
    "allValue": ".*"
   }
  ]
 },
 "time": {
  "from": "now-3h",
  "to": "now"
 },
 "timepicker": {},
 "timezone": "browser",
 "title": "kuzet: latency",
 "uid": "kuzet-latency",
 "version": 1
} satisfies Checked;
