import type { Checked } from "./dashboard.d.ts";
export default {
 "annotations": {
  "list": []
 },
 "description": "What the ledger is told to do, and what waits.",
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
   "description": "Operations that are held.",
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
     "expr": "sum(kuzet_restrictions_active{job=\"$job\", instance=~\"$instance\", kind=\"hold\"})",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Held now",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Monitorings in force: outgoing operations of these wallets wait.",
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
     "unit": "none"
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
     "expr": "sum(kuzet_restrictions_active{job=\"$job\", instance=~\"$instance\", kind=\"monitor\"})",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Monitored wallets",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Blocks in force, of wallets and of addresses.",
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
     "unit": "none"
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
     "expr": "sum(kuzet_restrictions_active{job=\"$job\", instance=~\"$instance\", kind=\"block\"})",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Blocks",
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
   "description": "Commands to the ledger in the range that is looked at.",
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
     "unit": "short",
     "decimals": 0
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
     "expr": "sum (increase(kuzet_commands_total{job=\"$job\", instance=~\"$instance\"}[$__range]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Commands",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Operations refused in the range that is looked at.",
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
     "unit": "short",
     "decimals": 0
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
     "expr": "sum (increase(kuzet_decisions_total{job=\"$job\", instance=~\"$instance\", verdict=\"refuse\"}[$__range]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Refused",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Commands to the ledger per second, by kind.",
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
    "h": 10,
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
     "expr": "sum by (command) (rate(kuzet_commands_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{command}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Commands by kind",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Holds that are placed, and operations released or cancelled, per second. The first above the others: the queue of support grows.",
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
    "h": 10,
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
     "expr": "sum (rate(kuzet_commands_total{job=\"$job\", instance=~\"$instance\", command=\"hold\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "hold",
     "range": true,
     "refId": "A"
    },
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum (rate(kuzet_commands_total{job=\"$job\", instance=~\"$instance\", command=\"release\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "release",
     "range": true,
     "refId": "B"
    },
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum (rate(kuzet_commands_total{job=\"$job\", instance=~\"$instance\", command=\"cancel\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "cancel",
     "range": true,
     "refId": "C"
    }
   ],
   "title": "Placed and ended",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Holds, monitorings and blocks, added up over the instances.",
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
    "y": 14
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
     "expr": "sum by (kind) (kuzet_restrictions_active{job=\"$job\", instance=~\"$instance\"})",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{kind}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Restrictions in force",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "How long the operation waits that is held longest, by instance.",
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
    "y": 14
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
     "expr": "kuzet_oldest_waiting_operation_seconds{job=\"$job\", instance=~\"$instance\"}",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{instance}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Age of the oldest hold",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Share of the decisions, by verdict.",
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
    "y": 22
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
     "expr": "sum by (verdict) (rate(kuzet_decisions_total{job=\"$job\", instance=~\"$instance\", verdict!=\"allow\"}[$__rate_interval])) / on () group_left () sum (rate(kuzet_decisions_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{verdict}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Verdicts but allow",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Commands in the range that is looked at.",
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
    "y": 22
   },
   "id": 12,
   "options": {
    "cellHeight": "sm",
    "showHeader": true,
    "sortBy": [
     {
      "desc": true,
      "displayName": "Commands"
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
     "expr": "sum by (command) (increase(kuzet_commands_total{job=\"$job\", instance=~\"$instance\"}[$__range]))",
     "format": "table",
     "instant": true,
     "legendFormat": "",
     "range": false,
     "refId": "A"
    }
   ],
   "title": "Commands in total",
   "type": "table",
   "transformations": [
    {
     "id": "organize",
     "options": {
      "excludeByName": {
       "Time": true
      },
      "renameByName": {
       "Value": "Commands"
      }
     }
    }
   ]
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
 "title": "kuzet: ledger commands",
 "uid": "kuzet-commands",
 "version": 1
} satisfies Checked;
