import type { Checked } from "./dashboard.d.ts";
export default {
 "annotations": {
  "list": []
 },
 "description": "Is kuzet deciding, what arrives, what is missing.",
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
   "description": "Instances that answer and take operations. Red: none does.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "thresholds"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "red",
        "value": null
       },
       {
        "color": "green",
        "value": 1
       }
      ]
     },
     "unit": "none"
    },
    "overrides": []
   },
   "gridPos": {
    "h": 4,
    "w": 4,
    "x": 0,
    "y": 0
   },
   "id": 1,
   "options": {
    "colorMode": "value",
    "graphMode": "area",
    "justifyMode": "auto",
    "orientation": "auto",
    "percentChangeColorMode": "standard",
    "reduceOptions": {
     "calcs": [
      "lastNotNull"
     ],
     "fields": "",
     "values": false
    },
    "showPercentChange": false,
    "textMode": "auto",
    "wideLayout": true
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum(kuzet_ready{job=\"$job\", instance=~\"$instance\"})",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Instances that decide",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Operations decided per second.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "thresholds"
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
     "unit": "ops"
    },
    "overrides": []
   },
   "gridPos": {
    "h": 4,
    "w": 4,
    "x": 4,
    "y": 0
   },
   "id": 2,
   "options": {
    "colorMode": "value",
    "graphMode": "area",
    "justifyMode": "auto",
    "orientation": "auto",
    "percentChangeColorMode": "standard",
    "reduceOptions": {
     "calcs": [
      "lastNotNull"
     ],
     "fields": "",
     "values": false
    },
    "showPercentChange": false,
    "textMode": "auto",
    "wideLayout": true
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum (rate(kuzet_operations_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Operations",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Share of the decisions that are not `allow`: challenge, hold or refuse.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "thresholds"
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
     "unit": "percentunit",
     "decimals": 2
    },
    "overrides": []
   },
   "gridPos": {
    "h": 4,
    "w": 4,
    "x": 8,
    "y": 0
   },
   "id": 3,
   "options": {
    "colorMode": "value",
    "graphMode": "area",
    "justifyMode": "auto",
    "orientation": "auto",
    "percentChangeColorMode": "standard",
    "reduceOptions": {
     "calcs": [
      "lastNotNull"
     ],
     "fields": "",
     "values": false
    },
    "showPercentChange": false,
    "textMode": "auto",
    "wideLayout": true
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum (rate(kuzet_decisions_total{job=\"$job\", instance=~\"$instance\", verdict!=\"allow\"}[$__rate_interval])) / sum (rate(kuzet_decisions_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Not allowed",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "From arrival to commit, for 99 of 100 batches. One batch is one commit.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "thresholds"
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
       },
       {
        "color": "yellow",
        "value": 0.1
       },
       {
        "color": "red",
        "value": 0.25
       }
      ]
     },
     "unit": "s"
    },
    "overrides": []
   },
   "gridPos": {
    "h": 4,
    "w": 4,
    "x": 12,
    "y": 0
   },
   "id": 4,
   "options": {
    "colorMode": "value",
    "graphMode": "area",
    "justifyMode": "auto",
    "orientation": "auto",
    "percentChangeColorMode": "standard",
    "reduceOptions": {
     "calcs": [
      "lastNotNull"
     ],
     "fields": "",
     "values": false
    },
    "showPercentChange": false,
    "textMode": "auto",
    "wideLayout": true
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "histogram_quantile(0.99, sum by (le) (rate(kuzet_stage_seconds_bucket{job=\"$job\", instance=~\"$instance\", stage=\"end_to_end\"}[$__rate_interval])))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Decided within, 99th percentile",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "How long the operation waits that is held longest.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "thresholds"
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
       },
       {
        "color": "yellow",
        "value": 28800
       },
       {
        "color": "red",
        "value": 86400
       }
      ]
     },
     "unit": "s"
    },
    "overrides": []
   },
   "gridPos": {
    "h": 4,
    "w": 4,
    "x": 16,
    "y": 0
   },
   "id": 5,
   "options": {
    "colorMode": "value",
    "graphMode": "area",
    "justifyMode": "auto",
    "orientation": "auto",
    "percentChangeColorMode": "standard",
    "reduceOptions": {
     "calcs": [
      "lastNotNull"
     ],
     "fields": "",
     "values": false
    },
    "showPercentChange": false,
    "textMode": "auto",
    "wideLayout": true
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "max(kuzet_oldest_waiting_operation_seconds{job=\"$job\", instance=~\"$instance\"})",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Oldest hold",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "How many different rule sets decide. More than 1 is right only while rules change.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "thresholds"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "red",
        "value": null
       },
       {
        "color": "green",
        "value": 1
       },
       {
        "color": "red",
        "value": 2
       }
      ]
     },
     "unit": "none"
    },
    "overrides": []
   },
   "gridPos": {
    "h": 4,
    "w": 4,
    "x": 20,
    "y": 0
   },
   "id": 6,
   "options": {
    "colorMode": "value",
    "graphMode": "area",
    "justifyMode": "auto",
    "orientation": "auto",
    "percentChangeColorMode": "standard",
    "reduceOptions": {
     "calcs": [
      "lastNotNull"
     ],
     "fields": "",
     "values": false
    },
    "showPercentChange": false,
    "textMode": "auto",
    "wideLayout": true
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "count(count by (ruleset) (kuzet_ruleset_info{job=\"$job\", instance=~\"$instance\"} == 1))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Rule sets in force",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Operations decided per second, by their type.",
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
    "x": 0,
    "y": 4
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
     "expr": "sum by (type) (rate(kuzet_operations_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{type}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Operations by type",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Decisions per second, by verdict.",
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
    "y": 4
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
     "expr": "sum by (verdict) (rate(kuzet_decisions_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{verdict}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Decisions by verdict",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Records per second that cannot be understood. They are kept with their reason.",
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
    "x": 0,
    "y": 12
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
     "expr": "sum by (code) (rate(kuzet_rejected_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{code}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Refused records by code",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Per second: operations that came again, operations later than the allowed lateness, fields at the top of a record that the contract does not know.",
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
    "y": 12
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
     "expr": "sum (rate(kuzet_duplicates_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "duplicates",
     "range": true,
     "refId": "A"
    },
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum (rate(kuzet_late_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "late",
     "range": true,
     "refId": "B"
    },
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum (rate(kuzet_unknown_fields_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "unknown fields",
     "range": true,
     "refId": "C"
    }
   ],
   "title": "Duplicates, late operations, unknown fields",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Share of the decisions for which a rule lacked an input, by input.",
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
     "unit": "percentunit",
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
    "y": 20
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
     "expr": "sum by (input) (rate(kuzet_degraded_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval])) / on () group_left () sum (rate(kuzet_operations_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{input}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Decisions without an input",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Since when each database is built. A new one comes out every month.",
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
    "y": 20
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
     "expr": "time() - max by (database) (kuzet_geo_database_build_timestamp_seconds{job=\"$job\", instance=~\"$instance\"})",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{database}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Age of the geo databases",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Bytes of wallets and shared windows, by instance.",
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
     "unit": "bytes",
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
    "y": 28
   },
   "id": 13,
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
     "expr": "kuzet_state_bytes{job=\"$job\", instance=~\"$instance\"}",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{instance}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "State in memory",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "How many there are in memory, added up over the instances.",
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
    "x": 12,
    "y": 28
   },
   "id": 14,
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
     "expr": "sum(kuzet_state_wallets{job=\"$job\", instance=~\"$instance\"})",
     "format": "time_series",
     "instant": false,
     "legendFormat": "wallets",
     "range": true,
     "refId": "A"
    },
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum(kuzet_shared_windows{job=\"$job\", instance=~\"$instance\"})",
     "format": "time_series",
     "instant": false,
     "legendFormat": "shared windows",
     "range": true,
     "refId": "B"
    }
   ],
   "title": "Wallets and shared windows",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Bytes of the embedded store and what its file system has left, by instance.",
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
     "unit": "bytes",
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
    "y": 36
   },
   "id": 15,
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
     "expr": "kuzet_store_bytes{job=\"$job\", instance=~\"$instance\"}",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{instance}} store",
     "range": true,
     "refId": "A"
    },
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "kuzet_store_free_bytes{job=\"$job\", instance=~\"$instance\"}",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{instance}} free",
     "range": true,
     "refId": "B"
    }
   ],
   "title": "Store",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "HTTP requests answered per second, by status.",
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
    "y": 36
   },
   "id": 16,
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
     "expr": "sum by (status) (rate(kuzet_http_requests_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{status}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Answers by status",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Time since the process began, by instance. A saw is a restart loop.",
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
    "y": 44
   },
   "id": 17,
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
     "expr": "time() - kuzet_start_time_seconds{job=\"$job\", instance=~\"$instance\"}",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{instance}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Uptime",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Open streams of decisions over HTTP, by instance.",
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
    "x": 12,
    "y": 44
   },
   "id": 18,
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
     "expr": "kuzet_sse_subscribers{job=\"$job\", instance=~\"$instance\"}",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{instance}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Readers of the event stream",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Alerts of kuzet that fire or are about to. KuzetHeartbeat always fires.",
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
      "align": "auto",
      "cellOptions": {
       "type": "auto"
      },
      "filterable": true,
      "inspect": false
     },
     "decimals": 0
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 0,
    "y": 52
   },
   "id": 19,
   "options": {
    "cellHeight": "sm",
    "showHeader": true,
    "sortBy": [
     {
      "desc": true,
      "displayName": "Active"
     }
    ]
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "ALERTS{alertname=~\"Kuzet.*\"}",
     "format": "table",
     "instant": true,
     "legendFormat": "",
     "range": false,
     "refId": "A"
    }
   ],
   "title": "Alerts",
   "type": "table",
   "transformations": [
    {
     "id": "organize",
     "options": {
      "excludeByName": {
       "Time": true,
       "__name__": true,
       "job": true
      },
      "renameByName": {
       "Value": "Active"
      }
     }
    }
   ]
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "What runs where.",
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
      "align": "auto",
      "cellOptions": {
       "type": "auto"
      },
      "filterable": true,
      "inspect": false
     },
     "decimals": 0
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 12,
    "y": 52
   },
   "id": 20,
   "options": {
    "cellHeight": "sm",
    "showHeader": true,
    "sortBy": [
     {
      "desc": true,
      "displayName": "In force"
     }
    ]
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "kuzet_ruleset_info{job=\"$job\", instance=~\"$instance\"} * on (instance) group_left (version) kuzet_build_info{job=\"$job\", instance=~\"$instance\"}",
     "format": "table",
     "instant": true,
     "legendFormat": "",
     "range": false,
     "refId": "A"
    }
   ],
   "title": "Versions and rule sets",
   "type": "table",
   "transformations": [
    {
     "id": "organize",
     "options": {
      "excludeByName": {
       "Time": true,
       "__name__": true,
       "job": true
      },
      "renameByName": {
       "Value": "In force"
      }
     }
    }
   ]
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Records in Kafka that wait to be decided, by shard.",
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
    "y": 60
   },
   "id": 21,
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
     "expr": "max by (shard) (kuzet_consumer_lag_records{job=\"$job\", instance=~\"$instance\"})",
     "format": "time_series",
     "instant": false,
     "legendFormat": "shard {{shard}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Lag by shard",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Shards by the instance that decides them. The sum is the number of partitions.",
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
    "y": 60
   },
   "id": 22,
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
     "expr": "kuzet_shards{job=\"$job\", instance=~\"$instance\"}",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{instance}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Shards owned",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Transactions per second. `unknown` ended without an answer and were recovered.",
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
    "x": 0,
    "y": 68
   },
   "id": 23,
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
     "expr": "sum by (result) (rate(kuzet_transactions_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{result}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Transactions by result",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "1: state, offsets and decisions of the shard contradict each other, nothing is decided.",
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
     },
     "max": 1
    },
    "overrides": []
   },
   "gridPos": {
    "h": 8,
    "w": 12,
    "x": 12,
    "y": 68
   },
   "id": 24,
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
     "expr": "max by (shard) (kuzet_shard_halted{job=\"$job\", instance=~\"$instance\"})",
     "format": "time_series",
     "instant": false,
     "legendFormat": "shard {{shard}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Halted shards",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Recoveries of a shard per second, by instance.",
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
    "x": 0,
    "y": 76
   },
   "id": 25,
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
     "expr": "sum by (instance) (rate(kuzet_recoveries_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{instance}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Recoveries",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Changes of shared windows that wait for Redis, by instance.",
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
    "x": 12,
    "y": 76
   },
   "id": 26,
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
     "expr": "kuzet_shared_pending_changes{job=\"$job\", instance=~\"$instance\"}",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{instance}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Changes that Redis has not taken",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Failed calls of Redis per second, by instance.",
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
    "x": 0,
    "y": 84
   },
   "id": 27,
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
     "expr": "sum by (instance) (rate(kuzet_shared_store_errors_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{instance}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Errors of the shared store",
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
 "title": "kuzet: overview",
 "uid": "kuzet-overview",
 "version": 1
} satisfies Checked;
